"""What a person reads of a verdict."""

from __future__ import annotations

from kubesonar.model import Finding, Health, Verdict
from kubesonar.views.labels import confidence_words
from kubesonar.views.terminal.verdict import headline, verdict_view
from tests.views.drawn import drawn

CUT = Finding(
    part="node",
    subject="node-3",
    fault="cut",
    since=50.0,
    confidence=0.987,
    sentence="node-3 is cut off since 00:00:50; 8 of 8 observers agree",
    evidence=("udp reach: 288 of 288 bad", "tcp reach: 144 of 144 bad"),
    against=("icmp reach: 0 of 9 bad",),
)
LOSS = Finding("pair", "a>b", "loss", None, 0.9, "a > b loses 12 % of packets")
SICK = Verdict(
    verdict=Health.BAD,
    sentence=CUT.sentence + " (and 1 more)",
    at=60.0,
    findings=(CUT, LOSS),
    unknown=("x could not be read: no answer within 2 s",),
    states=("node-2-pod draining: upgrade",),
    observers=9,
    members=10,
)


def clock(at: float) -> str:
    return f"00:00:{at:02.0f}"


def test_the_first_line_is_the_sentence() -> None:
    assert drawn(verdict_view(SICK, clock))[0] == SICK.sentence


def test_findings_say_what_since_when_how_sure_and_why() -> None:
    text = "\n".join(drawn(verdict_view(SICK, clock)))
    assert "node node-3: cut, since 00:00:50, 98 % sure" in text
    assert "for          udp reach: 288 of 288 bad\n               tcp reach: 144 of 144 bad" in text
    assert "against      icmp reach: 0 of 9 bad" in text
    assert "pair a>b: loss, 90 % sure" in text  # no "since" where the beginning is not known
    assert "unknown      x could not be read: no answer within 2 s" in text
    assert "excused      node-2-pod draining: upgrade" in text
    assert "9 of 10 members read at 00:01:00" in text or "9 of 10 members read at 00:00:60" in text


def test_colours_say_good_bad_unknown_and_are_absent_where_not_wanted() -> None:
    shades = {Health.GOOD: "\x1b[1;32m", Health.BAD: "\x1b[1;31m", Health.UNKNOWN: "\x1b[1;33m"}
    for health, start in shades.items():
        verdict = Verdict(health, "so it is", 0.0)
        assert drawn(verdict_view(verdict, clock), colour=True)[0].startswith(start)
        assert drawn(verdict_view(verdict, clock))[0] == "so it is"


def test_what_a_stranger_wrote_cannot_steer_the_terminal() -> None:
    verdict = Verdict(Health.BAD, "\x1b[2Jgone [red]x[/red]\nfake line", 0.0, states=("\x1b]0;title\x07",))
    lines = drawn(verdict_view(verdict, clock))
    assert lines[0].strip() == "[2Jgone [red]x[/red] fake line"
    assert not any("\x1b" in line or "\x07" in line for line in lines)


def test_long_lines_wrap_under_themselves_on_a_terminal_and_stay_whole_elsewhere() -> None:
    reason = "the reason " * 12
    verdict = Verdict(Health.UNKNOWN, "cannot tell", 0.0, unknown=(reason,))
    wrapped = drawn(verdict_view(verdict, clock), 60)
    assert max(map(len, wrapped)) <= 60
    assert wrapped[3].startswith("               the reason") or wrapped[3].startswith("               reason")
    assert any(reason.strip() in line for line in drawn(verdict_view(verdict, clock), 60, wrap=False))


def test_a_headline_repeats_nothing_of_its_sentence() -> None:
    verdict = Verdict(Health.UNKNOWN, "cannot tell: too early", 0.0, unknown=("too early", "clock of a is 9 s off"))
    assert drawn(headline(verdict)) == ["cannot tell: too early", "  unknown  clock of a is 9 s off"]
    assert drawn(headline(SICK))[1] == "  also  a > b loses 12 % of packets"


def test_confidence_is_never_rounded_up() -> None:
    assert [confidence_words(value) for value in (0.999, 1.0, 0.5, -1, 2)] == ["99 %", "100 %", "50 %", "0 %", "100 %"]


def test_what_the_sentence_says_is_not_repeated_below_it() -> None:
    verdict = Verdict(
        Health.UNKNOWN, "cannot tell: nobody heard a (and 1 more)", 0.0, unknown=("nobody heard a", "no clock of c")
    )
    text = "\n".join(drawn(verdict_view(verdict, clock)))
    assert text.count("nobody heard a") == 1
    assert "unknown      no clock of c" in text

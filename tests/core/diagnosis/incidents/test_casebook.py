from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.diagnosis.incidents.casebook import (
    BELIEVED_WELL,
    FLAPS,
    LEFT_OPEN,
    SAME,
    WELL,
    Became,
    Casebook,
    settled,
)
from kubesonar.model import Finding, Health, Verdict

NOW = 1_000_000.0


def found(part: str = "node", subject: str = "node-3", since: float = NOW - 5, loss: float = 1.0) -> Finding:
    return Finding(part, subject, "cut", since, 0.99, f"{subject} is sick", loss=loss)


def verdict(*findings: Finding, health: Health | None = None, read: int = 6, unheard: str = "") -> Verdict:
    """The verdict of a look in which so many of six members were read."""
    health = health or (Health.BAD if findings else Health.GOOD)
    return Verdict(health, "a sentence", NOW, findings, observers=read, members=6, unheard=frozenset(unheard.split()))


def look(book: Casebook, start: float, seconds: float, said: Verdict) -> list[tuple[float, Became]]:
    """What became of incidents in looks each half second; times are since NOW."""
    changes = []
    for step in range(int(2 * seconds)):
        now = NOW + start + step / 2
        changes += [(now - NOW, change.became) for change in book.step(now, said)]
    return changes


def test_an_incident_is_opened_when_the_same_part_was_named_for_a_while_and_once() -> None:
    book = Casebook()
    assert look(book, 0, 10, verdict(found())) == [(1.5, Became.OPENED)]
    assert [incident.since for incident in book.open] == [NOW - 5]


def test_a_part_that_gives_way_to_another_before_it_was_stable_is_never_told() -> None:
    book = Casebook()
    assert look(book, 0, 1, verdict(found("node_out"))) == []
    assert look(book, 1, 4, verdict(found("pair", "node-3>node-4"))) == [(2.5, Became.OPENED)]
    assert [incident.key for incident in book.open] == [("pair", "node-3>node-4")]


@pytest.mark.parametrize("way", ["node_in", "node_out", "pod_network_in", "pod_network_out"])
@pytest.mark.parametrize(("read", "told"), [(5, [2]), (6, [])])
def test_a_look_that_shows_one_way_only_does_not_speak_against_both_where_an_agent_cannot_be_read(
    way: str, read: int, told: list[int]
) -> None:
    book, part = Casebook(), way.removesuffix("_in").removesuffix("_out")
    opened = []
    for step in range(8):
        said = verdict(found(way), read=read) if step % 2 else verdict(found(part))
        opened += [(step, change.became, change.incident.key[0]) for change in book.step(NOW + 2 * step, said)]
    assert opened == [(step, Became.OPENED, part) for step in told]


@pytest.mark.parametrize("way", ["node_in", "node_out"])
@pytest.mark.parametrize(("apart", "told"), [(LEFT_OPEN - 1, True), (LEFT_OPEN + 1, False), (600.0, False)])
def test_two_looks_at_both_ways_are_one_after_the_other_only_within_seconds_though_an_agent_can_never_be_read(
    way: str, apart: float, told: bool
) -> None:
    book = Casebook()
    book.step(NOW, verdict(found(), read=5))
    look(book, 0.5, apart - 0.5, verdict(found(way), read=5))
    book.step(NOW + apart, verdict(found(), read=5))
    assert [incident.key[0] for incident in book.open] == ["node" if told else way]


@pytest.mark.parametrize("other", ["node_in", "pod_network"])
def test_a_part_that_gives_way_to_what_is_no_way_of_it_begins_anew(other: str) -> None:
    book = Casebook()
    said = [found("node_out"), found(other), found("node_out")]
    assert [change for step, each in enumerate(said) for change in book.step(NOW + step, verdict(each, read=5))] == []


@pytest.mark.parametrize(
    ("since", "became"),
    [(NOW + 30, [Became.CHANGED]), (NOW + 60, [Became.OPENED, Became.MERGED])],
    ids=["while it lasted", "after it"],
)
def test_one_way_of_a_node_that_is_told_instead_of_both_is_the_same_incident_if_it_began_before_the_other_ended(
    since: float, became: list[Became]
) -> None:
    book = Casebook()
    look(book, 0, 50, verdict(found("node")))
    assert [what for _, what in look(book, 50, 5, verdict(found("node_out", since=since)))] == became


@pytest.mark.parametrize(
    ("loss", "seconds", "became"),
    [(0.5, 8, []), (0.5, 12, [Became.CHANGED]), (1.0, 3, [Became.CHANGED])],
)
def test_one_way_takes_the_place_of_both_the_later_where_some_packets_get_through(
    loss: float, seconds: float, became: list[Became]
) -> None:
    book = Casebook()
    look(book, 0, 50, verdict(found("node", loss=0.5)))
    lossy = verdict(found("node_out", since=NOW + 30, loss=loss))
    assert [what for _, what in look(book, 50, seconds, lossy)] == became
    assert [incident.key[0] for incident in book.open] == ["node_out" if became else "node"]


def test_it_keeps_its_beginning_whatever_later_looks_say() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found()))
    look(book, 3, 90, verdict(found(since=NOW + 30)))
    assert dict(book.known) == {("node", "node-3"): NOW - 5}


@pytest.mark.parametrize(
    ("loss", "times"), [(1.0, 1), (0.1, 1), (0.02, 3), (0.01, 6), (0.005, 12), (0.001, 20), (0.0, 20)]
)
def test_it_is_closed_once_it_was_seen_to_be_well_the_later_the_fainter(loss: float, times: float) -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found(loss=loss)))
    assert look(book, 3, 60, verdict()) == [(2.5 + WELL * times, Became.CLOSED)]


@pytest.mark.parametrize(
    ("latest", "said"),
    [(NOW + 2.5, "node-3 is sick"), (NOW + 3.5, "node-3 loses 98 %"), (None, "node-3 loses 98 %")],
)
def test_what_heals_is_told_as_it_was_while_it_lasted(latest: float | None, said: str) -> None:
    book = Casebook()
    cut = msgspec.structs.replace(found(), latest=NOW + 2.5)
    look(book, 0, 3, verdict(cut))
    fainter = msgspec.structs.replace(found(loss=0.98), sentence="node-3 loses 98 %", latest=latest)
    look(book, 3, 3, verdict(fainter))
    assert [incident.finding.sentence for incident in book.open] == [said]
    assert look(book, 6, 5, verdict()) == [(8.0, Became.CLOSED)]


@pytest.mark.parametrize("health", [Health.GOOD, Health.UNKNOWN])
def test_of_a_node_that_was_deleted_it_is_told_that_it_left(health: Health) -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found()))
    gone = msgspec.structs.replace(verdict(health=health), left=frozenset({"node-3"}))
    assert look(book, 3, 60, gone) == [(2.5 + WELL, Became.LEFT)]


def test_nothing_is_closed_while_nobody_can_tell() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found()))
    assert look(book, 3, 60, verdict(health=Health.UNKNOWN)) == []
    assert book.open


@pytest.mark.parametrize(
    ("unheard", "closed"), [("node-1-host", [5.0]), ("node-1-host node-3-host", []), ("node-3-host", []), ("", [])]
)
def test_who_was_not_heard_when_an_incident_was_told_does_not_keep_it_open(unheard: str, closed: list[float]) -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found(), unheard="node-1-host"))
    said = verdict(health=Health.UNKNOWN, unheard=unheard)
    assert look(book, 3, 60, said) == [(at, Became.CLOSED) for at in closed]


def test_an_incident_that_is_closed_keeps_no_names_of_members() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found(), unheard="node-1-host"))
    (change,) = [change for step in range(8) for change in book.step(NOW + 3 + step, verdict())]
    assert (change.became, change.incident.unheard) == (Became.CLOSED, None)


def test_a_return_within_half_an_hour_is_the_same_incident_and_flaps_from_the_third_on() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found()))
    became = []
    for round_ in range(1, FLAPS + 1):
        start = 600.0 * round_
        look(book, start - 300, 10, verdict())
        became += [change for _, change in look(book, start, 3, verdict(found(since=NOW + start)))]
    assert became == [Became.RETURNED] * (FLAPS - 1) + [Became.FLAPPING]
    assert [(incident.number, incident.since) for incident in book.open] == [(1, NOW - 5)]


def test_what_was_lost_before_an_incident_was_closed_does_not_bring_it_back() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found()))
    look(book, 3, 10, verdict())
    assert look(book, 20, 10, verdict(msgspec.structs.replace(found(), latest=NOW + 2))) == []
    lost_again = msgspec.structs.replace(found(), latest=NOW + 30)
    assert [became for _, became in look(book, 30, 3, verdict(lost_again))] == [Became.RETURNED]


def lately(at: float) -> Verdict:
    """A finding for which something speaks that happened `at` that time since NOW."""
    return verdict(msgspec.structs.replace(found(since=NOW + at), latest=NOW + at))


def test_after_the_clock_was_set_back_an_incident_opens_returns_and_closes_as_before() -> None:
    book = Casebook()
    look(book, 0, 1, lately(0))
    assert look(book, -3600, 4, lately(-3600)) == [(-3598.5, Became.OPENED)]
    assert look(book, -3596, 5, verdict()) == [(-3594, Became.CLOSED)]
    assert look(book, -7200, 3, verdict()) == []
    assert look(book, -7190, 4, lately(-7189)) == [(-7188.5, Became.RETURNED)]
    (closed,) = look(book, -10_800, 30, verdict())
    assert closed == (-10_790 + WELL, Became.CLOSED)


def test_after_the_clock_was_set_back_an_open_incident_is_told_as_it_is_now() -> None:
    book = Casebook()
    look(book, 0, 3, lately(0))
    (now_worse,) = lately(-3600).findings
    look(book, -3600, 1, verdict(msgspec.structs.replace(now_worse, sentence="node-3 is cut off")))
    assert [incident.finding.sentence for incident in book.open] == ["node-3 is cut off"]


def test_a_return_after_that_is_a_new_incident() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found()))
    look(book, 10, 10, verdict())
    later = SAME + 100
    look(book, later, 1, verdict())
    assert look(book, later + 1, 3, verdict(found(since=NOW + later)))[0][1] is Became.OPENED
    assert [incident.number for incident in book.open] == [2]


def test_a_better_explanation_of_the_same_cause_takes_its_place() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found("node_out", since=NOW - 4)))
    assert look(book, 3, 3, verdict(found("node", since=NOW - 5))) == [(4.5, Became.CHANGED)]
    assert [(incident.number, incident.key) for incident in book.open] == [(1, ("node", "node-3"))]


ZONE = msgspec.structs.replace(found("zone", "a"), nodes=("node-3", "node-4"))
ACROSS = msgspec.structs.replace(found("pair", "node-1>node-3"), zones=("a", "b"))
UDP_ACROSS = msgspec.structs.replace(found("pair_udp", "node-1>node-3"), zones=("a", "b"))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (found("node_in"), found("node")),
        (found("node"), found("node_out")),
        (found("pod_network_out"), found("node")),
        (found("pair", "node-1>node-3"), found("node")),
        (found("node"), found("pair", "node-1>node-3")),
        (found("pair_udp", "node-1>node-3"), found("pair", "node-1>node-3")),
        (found("pair_port", "node-1>node-3 tcp/80"), found("pair", "node-1>node-3")),
        (found("node"), ZONE),
        (found("pair", "node-1>node-3"), ZONE),
        (found("zone_pair", "a>b"), ZONE),
        (ACROSS, found("zone_pair", "a>b")),
        (found("zone_pair", "a>b"), UDP_ACROSS),
        (found("dns_server", "dns-1"), found("dns_service", "dns-service")),
        (found("dns_service", "dns-service"), found("dns_udp", "dns-2")),
    ],
    ids=lambda said: f"{said.part} {said.subject}",
)
@pytest.mark.parametrize("pause", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("period", [0.5, 1.0, 3.0])
def test_one_cause_that_is_explained_by_another_part_stays_one_incident(
    first: Finding, then: Finding, pause: float, period: float
) -> None:
    book = Casebook()
    became = []
    for step in range(30):
        now = NOW + step * period
        said = first if step < 5 else then
        nothing = step >= 5 and step * period < 5 * period + pause
        became += [change.became for change in book.step(now, verdict() if nothing else verdict(said))]
    (incident,) = book.open
    assert (incident.number, incident.since, incident.key) == (1, NOW - 5, (then.part, then.subject))
    assert became in (
        [Became.OPENED, Became.CHANGED],
        [Became.OPENED, Became.CLOSED, Became.RETURNED],  # where nothing was found for longer in between
    )
    assert pause or became[-1] is Became.CHANGED


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (found("pair", "node-1>node-3"), found("node", since=NOW + 60)),
        (found("pair_port", "node-1>node-3 tcp/80"), found("pair", "node-1>node-3", since=NOW + 60)),
        (found("node"), msgspec.structs.replace(ZONE, since=NOW + 60)),
        (found("pod_network"), found("node", since=NOW + 60)),
        (ACROSS, found("zone_pair", "a>b", since=NOW + 60)),
        (UDP_ACROSS, found("zone_pair", "a>b", since=NOW + 60)),
        (found("dns_server", "dns-1"), found("dns_service", "dns-service", since=NOW + 60)),
    ],
    ids=lambda said: f"{said.part} {said.subject}",
)
def test_what_becomes_part_of_a_wider_incident_is_merged_and_not_well(narrow: Finding, wide: Finding) -> None:
    book = Casebook()
    look(book, 0, 62, verdict(narrow))
    assert [became for _, became in look(book, 62, 10, verdict(wide))] == [Became.OPENED, Became.MERGED]
    assert [incident.key for incident in book.open] == [(wide.part, wide.subject)]


@pytest.mark.parametrize("wide", [found("node"), found("node", "node-5", since=NOW + 60)], ids=["older", "elsewhere"])
def test_what_is_well_beside_an_incident_that_it_is_no_part_of_is_closed(wide: Finding) -> None:
    book = Casebook()
    pair = found("pair", "node-1>node-3")
    look(book, 0, 62, verdict(pair, *([wide] if wide.since == NOW - 5 else [])))
    assert look(book, 62, 10, verdict(wide))[-1][1] is Became.CLOSED


def test_a_cause_that_changes_its_part_does_not_return_as_an_older_incident_of_that_part() -> None:
    book = Casebook()
    look(book, 0, 3, verdict(found("node")))
    look(book, 3, 100, verdict())
    look(book, 200, 3, verdict(found("node_in", since=NOW + 195)))
    assert look(book, 203, 3, verdict(found("node", since=NOW + 195))) == [(204.5, Became.CHANGED)]
    assert [(incident.number, incident.since) for incident in book.open] == [(2, NOW + 195)]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (found("node"), found("node", "node-4")),
        (found("pair", "node-1>node-3"), found("pair", "node-3>node-4")),
        (found("node"), found("pair", "node-1>node-3", since=NOW + 60)),
        (found("node"), msgspec.structs.replace(found("link_rate"), since=None)),
        (found("node", "node-5"), ZONE),
        (ACROSS, found("zone_pair", "b>a")),
        (found("pair", "node-1>node-3"), found("zone_pair", "a>b")),
    ],
    ids=[
        "another node",
        "pairs that share a node",
        "another onset",
        "no onset",
        "not of that zone",
        "the other way between the zones",
        "not between the zones",
    ],
)
def test_two_faults_of_which_one_is_over_are_two_incidents(first: Finding, then: Finding) -> None:
    book = Casebook()
    look(book, 0, 3, verdict(first))
    look(book, 3, 59, verdict())
    look(book, 62, 4, verdict(then))
    assert [incident.key for incident in book.open] == [(then.part, then.subject)]
    assert [incident.number for incident in book.open] == [2]


def test_two_faults_that_both_last_are_two_incidents_though_one_is_at_the_other_s_place() -> None:
    book = Casebook()
    node, pair = found("node_in"), found("pair", "node-3>node-1")
    look(book, 0, 3, verdict(node))
    look(book, 3, 3, verdict(node, pair))
    assert [incident.number for incident in book.open] == [1, 2]


def test_the_two_directions_of_a_pair_are_two_incidents_though_one_is_not_found_for_a_moment() -> None:
    book = Casebook()
    there, back = found("pair", "node-1>node-3"), found("pair", "node-3>node-1")
    look(book, 0, 3, verdict(there))
    look(book, 3, 2, verdict(back))
    look(book, 5, 3, verdict(there, back))
    assert [(incident.number, incident.finding.subject) for incident in book.open] == [
        (1, "node-1>node-3"),
        (2, "node-3>node-1"),
    ]


def test_another_cause_at_the_same_time_is_another_incident() -> None:
    book = Casebook()
    both = verdict(found(), found("pair", "node-1>node-2"))
    assert [became for _, became in look(book, 0, 3, both)] == [Became.OPENED] * 2


def test_what_is_not_stable_yet_is_a_remark_and_no_finding() -> None:
    book = Casebook()
    seen = verdict(found())
    book.step(NOW, seen)
    shown = settled(seen, book)
    assert (shown.verdict, shown.findings) == (Health.UNKNOWN, ())
    assert shown.sentence == "cannot tell yet: node-3 is sick"
    book.step(NOW + 2, seen)
    assert settled(seen, book).verdict is Health.BAD
    gone = verdict()
    book.step(NOW + 3, gone)
    assert settled(gone, book).findings == seen.findings


@pytest.mark.parametrize(
    ("blind", "before", "after", "health"),
    [
        (True, Health.GOOD, BELIEVED_WELL, Health.GOOD),
        (True, Health.GOOD, BELIEVED_WELL + 1, Health.UNKNOWN),
        (True, Health.BAD, 1.0, Health.BAD),
        (True, Health.UNKNOWN, 1.0, Health.UNKNOWN),
        (False, Health.GOOD, 1.0, Health.UNKNOWN),
    ],
)
def test_a_look_that_could_see_too_little_is_believed_for_lasting_blindness_only(
    blind: bool, before: Health, after: float, health: Health
) -> None:
    book = Casebook()
    look(book, 0, 10, verdict(*[found()] * (before is Health.BAD), health=before))
    now = NOW + 9.5 + after
    seen = msgspec.structs.replace(verdict(health=Health.UNKNOWN), at=now, blind=blind, unknown=("too few were read",))
    book.step(now, seen)
    told = settled(seen, book)
    assert told.verdict is health
    assert told.unknown == ("too few were read",)
    assert not told.blind
    assert told.sentence.startswith("node-3" if health is Health.BAD else "a sentence")


def test_what_one_casebook_has_settled_another_believes_for_no_longer() -> None:
    """A collector's verdict, which a watch looks at again and again."""
    collector, watch = Casebook(), Casebook()
    told = []
    for second in range(int(BELIEVED_WELL) + 5):
        health = Health.UNKNOWN if second else Health.GOOD
        seen = msgspec.structs.replace(verdict(health=health), at=NOW + second, blind=bool(second))
        collector.step(seen.at, seen)
        known = settled(seen, collector)
        watch.step(seen.at, known)
        told.append(settled(known, watch))
    assert [each.verdict for each in told].index(Health.UNKNOWN) == BELIEVED_WELL + 1
    assert told[1].sentence == "a sentence (1 s ago)"


@pytest.mark.parametrize(("part", "after"), [("conntrack_full", 0.0), ("backlog_full", 1.5)])
def test_a_full_table_is_told_at_once_because_it_can_seldom_be_read_and_what_takes_loss_to_be_told_is_not(
    part: str, after: float
) -> None:
    full = msgspec.structs.replace(found(part), fault="full", since=None)
    assert look(Casebook(), 0, 3, verdict(full)) == [(after, Became.OPENED)]


def test_what_follows_from_a_kernel_without_room_is_not_told_while_that_kernel_cannot_be_asked() -> None:
    book = Casebook()
    full = msgspec.structs.replace(found("conntrack_full"), fault="full", loss=None)
    assert look(book, 0, 2, verdict(full)) == [(0.0, Became.OPENED)]
    assert look(book, 2, 5, verdict(found("node_in"), found("pair", "node-1>node-3"))) == []
    assert look(book, 7, 2, verdict(full)) == []
    assert look(book, 9, 20, verdict()) == [(8.5 + 4 * WELL, Became.CLOSED)]

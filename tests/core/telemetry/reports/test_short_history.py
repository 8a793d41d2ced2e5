import msgspec
import pytest

from kubesonar.core.telemetry.reports.short_history import (
    HISTORY_MINUTES,
    SERIES_LIMITS,
    HistoryPart,
    NewTrials,
    ShortHistory,
)
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Path, Phase, Side, Span, Trial

START = 1_700_000_040.0
"""Unix seconds: the beginning of a minute."""
ME = Member("a-pod", "a", ("10.0.0.1",), 7473)
NODES = {"a-pod": "a", "b-pod": "b", "a-host": "a"}


def trial(at: float, sent: int = 8, received: int = 8, rtt: float = 0.002, fault: Fault | None = None) -> Trial:
    return Trial(at, 1, sent, received, received, rtt, 0.0, fault)


def told(
    *trials: Trial, target: str = "b-pod", kind: Kind = Kind.UDP, path: Path = Path.POD, side: Side = Side.SOURCE
) -> NewTrials:
    check = Check(f"{kind}/{target}", kind, path, target, "10.0.0.2")
    return NewTrials(check, Observation(check, "a-pod", Network.POD, trials[-1].at, side=side, received=1), trials)


def series(
    history: ShortHistory, part: HistoryPart, subject: str, since: float = 0.0
) -> dict[float, tuple[object, object]]:
    found = history.series(part, subject, since)
    return {found.start + 60 * n: both for n, both in enumerate(zip(found.loss, found.rtt, strict=True))}


def test_trials_count_for_both_nodes_in_the_minute_in_which_they_were_made() -> None:
    history = ShortHistory()
    history.add(ME, NODES, [told(trial(START - 1, rtt=0.004), trial(START, received=6))], 0.0, START + 2)
    for node in "ab":
        assert series(history, HistoryPart.NODE, node) == {
            START - 60: (0.0, pytest.approx(0.004, rel=1e-3)),
            START: (0.25, pytest.approx(0.002, rel=1e-3)),
        }


def test_a_pair_has_a_series_once_it_lost_something() -> None:
    history = ShortHistory()
    history.add(ME, NODES, [told(trial(START))], 0.0, START)
    assert list(history.subjects(HistoryPart.PAIR, None)) == []
    history.add(ME, NODES, [told(trial(START + 60, received=0, rtt=0.0, fault=Fault.TIMEOUT))], 0.0, START + 60)
    history.add(ME, NODES, [told(trial(START + 120))], 0.0, START + 120)
    assert list(history.subjects(HistoryPart.PAIR, None)) == [(HistoryPart.PAIR, "a>b")]
    assert series(history, HistoryPart.PAIR, "a>b") == {
        START + 60: (1.0, None),
        START + 120: (0.0, pytest.approx(0.002, rel=1e-3)),
    }


def test_a_plain_target_is_shown_by_the_share_of_checks_that_failed_and_how_long_answers_took() -> None:
    history = ShortHistory()
    news = told(
        trial(START, 1, 0, 0.0, Fault.REFUSED),
        trial(START + 5, 1, 1, 0.0),
        target="api",
        kind=Kind.HTTP,
        path=Path.API_DIRECT,
    )
    spans = (Span(Phase.DNS, 0.0, 0.1), Span(Phase.BODY, 0.1, 0.15))
    news = msgspec.structs.replace(news, latest=msgspec.structs.replace(news.latest, phases=spans))
    history.add(ME, NODES, [news], 0.0, START + 6)
    assert list(history.subjects(None, None)) == [(HistoryPart.TARGET, "api")]
    assert series(history, HistoryPart.TARGET, "api") == {START: (0.5, pytest.approx(0.05, rel=1e-3))}


@pytest.mark.parametrize(
    "news",
    [
        told(trial(START), side=Side.RESPONDER),
        told(trial(START), kind=Kind.MTU),
        told(trial(START), path=Path.LOOPBACK),
        told(trial(START), target="left"),
        told(trial(START, fault=Fault.LOCAL)),
        told(trial(START + 3600)),
        told(trial(START - 3600)),
    ],
    ids=["what a responder counted", "sizes", "loopback", "a member that left", "own trouble", "future", "long ago"],
)
def test_what_tells_nothing_of_the_network_now_is_left_out(news: NewTrials) -> None:
    history = ShortHistory()
    history.add(ME, NODES, [news], 0.0, START)
    assert list(history.subjects(None, None)) == []


def test_a_way_within_a_node_is_no_pair() -> None:
    history = ShortHistory()
    history.add(ME, NODES, [told(trial(START, received=4), target="a-host")], 0.0, START)
    assert list(history.subjects(None, None)) == [(HistoryPart.NODE, "a")]


def test_times_are_those_of_the_collector() -> None:
    history = ShortHistory()
    history.add(ME, NODES, [told(trial(START - 7200))], 7200.0, START)
    assert list(series(history, HistoryPart.NODE, "a")) == [START]


def test_a_day_is_kept_with_gaps_where_nothing_was_told_and_a_minute_closes_for_good() -> None:
    history = ShortHistory()
    for minute in [*range(5), *range(8, HISTORY_MINUTES + 20)]:
        at = START + 60 * minute
        history.add(ME, NODES, [told(trial(at, received=8 - minute % 2))], 0.0, at)
    history.add(ME, NODES, [told(trial(START, received=0))], 0.0, START + 60 * (HISTORY_MINUTES + 19))
    found = series(history, HistoryPart.NODE, "a")
    assert HISTORY_MINUTES <= len(found) <= HISTORY_MINUTES + 3
    assert max(found) == START + 60 * (HISTORY_MINUTES + 19)
    assert list(found.values())[-2:] == [(0.0, found[max(found)][1]), (0.125, found[max(found)][1])]
    early = ShortHistory()
    for minute in (0, 1, 9):
        early.add(ME, NODES, [told(trial(START + 60 * minute))], 0.0, START + 60 * minute)
    assert [loss for loss, _ in series(early, HistoryPart.NODE, "a").values()] == [0.0, 0.0, *[None] * 7, 0.0]
    assert list(series(early, HistoryPart.NODE, "a", START + 480)) == [START + 480, START + 540]


def test_a_pair_is_forgotten_a_day_after_it_last_lost_something() -> None:
    history = ShortHistory()
    for minute in range(HISTORY_MINUTES + 2):
        at = START + 60 * minute
        history.add(ME, NODES, [told(trial(at, received=8 if minute else 0))], 0.0, at)
    assert [part for part, _ in history.subjects(None, None)] == [HistoryPart.NODE, HistoryPart.NODE]


def test_of_more_series_than_there_is_room_for_the_oldest_goes() -> None:
    history = ShortHistory()
    most = SERIES_LIMITS[HistoryPart.TARGET]
    for number in range(most + 1):
        at = START + (60 if number else 0)
        history.add(ME, NODES, [told(trial(at), target=f"t{number:04}", path=Path.EXTERNAL)], 0.0, at)
    found = [subject for _, subject in history.subjects(HistoryPart.TARGET, None)]
    assert (len(found), found[0], found[-1]) == (most, "t0001", f"t{most:04}")
    assert list(history.subjects(HistoryPart.TARGET, "t0000")) == []


def test_a_clock_that_was_set_back_begins_anew() -> None:
    history = ShortHistory()
    history.add(ME, NODES, [told(trial(START + 7200))], 0.0, START + 7200)
    history.add(ME, NODES, [told(trial(START))], 0.0, START)
    assert list(series(history, HistoryPart.NODE, "a")) == [START]

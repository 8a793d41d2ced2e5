"""Reports and mirrors together: whatever is lost on the way, the collector has the agent's snapshot again."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.reports.mirror import MOST_MIRRORED, Mirror, summed
from kubesonar.core.telemetry.reports.outgoing import Outgoing, ReportLog
from kubesonar.core.telemetry.reports.report import REPORT_SCHEMA, EdgeReport, Receipt, Report, decode_report
from kubesonar.model import (
    Check,
    Edge,
    Fault,
    Kind,
    Member,
    Minute,
    Network,
    NodeFacts,
    Observation,
    Path,
    Roster,
    Side,
    Snapshot,
    Train,
    Trial,
    Trouble,
    Window,
)

ME = Member("me", "node-1", ("10.0.0.1",), 7473, epoch=5)
ROSTER = Roster("r1", (ME, Member("peer", "node-2", ("10.0.0.2",), 7473)))
START = 1_700_000_000.0
OFF = 7.5
"""Seconds that the collector's clock is ahead of the agent's."""


def observation(at: float, target: str = "peer", side: Side = Side.SOURCE, fault: Fault | None = None) -> Observation:
    check = Check(f"udp/{side}/{target}", Kind.UDP, Path.POD, target, "10.0.0.2", port=7473)
    received = 0 if fault else 8
    return Observation(
        check, "me", Network.POD, at, side=side, fault=fault, sent=8, received=received, train=Train(int(at) % 1000)
    )


HEAD = Snapshot(1, ME, START, START, Roster("", ()))


class Pair:
    """An agent's ledger and a collector's mirror, and the reports between them."""

    def __init__(self, **options: int) -> None:
        self.now = START
        self.ledger = Ledger(ME, START, LedgerOptions(**options))
        self.urgent = 0
        self.log = ReportLog(self.ledger, self._hurry)
        self.outgoing = Outgoing(self.ledger, self.log)
        self.mirror: Mirror | None = None

    def _hurry(self) -> None:
        self.urgent += 1

    def observe(self, count: int = 1, **more: object) -> None:
        for _ in range(count):
            self.now += 1.0
            self.ledger.add(observation(self.now, **more))  # type: ignore[arg-type]

    def head(self) -> Snapshot:
        return msgspec.structs.replace(self.ledger.head(self.now), keys=(3,))

    def report(self) -> Report:
        report = decode_report(encode_json(self.outgoing.report(self.head(), 2.0)))
        assert isinstance(report, Report)
        return report

    def deliver(self, *, lost: bool = False, unheard: bool = False) -> None:
        """Send one report; `lost` on its way, or received with its receipt `unheard`."""
        report = self.report()
        if lost:
            return
        if self.mirror is None:
            self.mirror = Mirror(report, self.now + OFF)
        whole = self.mirror.take(report, self.ledger.roster, self.now + OFF) is None
        if not unheard:
            self.outgoing.received(Receipt(REPORT_SCHEMA, self.mirror.sequence, 2.0, whole=whole))

    def settle(self) -> None:
        self.deliver()
        self.deliver()

    def compare(self) -> None:
        assert self.mirror is not None
        mirrored = summed(self.mirror.snapshot(self.now + OFF))
        assert shape(mirrored) == shape(self.ledger.snapshot(self.now))


def shape(snapshot: Snapshot) -> tuple[object, ...]:
    """A snapshot without the order of its edges, and without its keys, which the ledger does not know."""
    edges = {(edge.latest.side, edge.latest.check.id): edge for edge in snapshot.edges}
    return msgspec.structs.replace(snapshot, edges=(), keys=()), edges


def test_the_snapshot_of_a_mirror_is_the_agents_own() -> None:
    pair = Pair()
    pair.ledger.roster_changed(ROSTER)
    pair.ledger.elected("peer")
    pair.ledger.cannot_check(("no API server",))
    pair.observe(5)
    pair.observe(3, target="other")
    pair.observe(2, side=Side.RESPONDER)
    pair.ledger.trouble(Trouble(START, None, "starved"))
    pair.deliver()
    pair.compare()
    pair.observe(4, fault=Fault.TIMEOUT)
    pair.deliver()
    pair.compare()
    assert pair.mirror is not None
    assert pair.mirror.snapshot(pair.now + OFF).keys == (3,)


def test_a_report_says_only_what_changed() -> None:
    pair = Pair()
    pair.observe(5)
    pair.observe(5, target="other")
    pair.deliver()
    assert pair.report().edges == ()
    pair.observe(2)
    (told,) = pair.report().edges
    assert told.check is None
    assert (told.first, len(told.edge.trials)) == (5, 2)


Step = st.one_of(
    st.tuples(st.just("observe"), st.integers(1, 40), st.sampled_from(["peer", "other", "third"])),
    st.tuples(st.just("deliver"), st.sampled_from(["well", "lost", "unheard"]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("retain"), st.sampled_from(["peer", "other", "third"]), st.none()),
)


@given(st.lists(Step, max_size=30), st.sampled_from([16, 256]))
@example(
    [("deliver", "well", None), ("observe", 1, "peer"), ("deliver", "unheard", None), ("retain", "peer", None)], 16
)
def test_whatever_is_lost_on_the_way_the_mirror_has_it_in_the_end(
    steps: list[tuple[str, object, object]], trials: int
) -> None:
    pair = Pair(trials=trials)
    for verb, what, target in steps:
        match verb:
            case "observe":
                assert isinstance(what, int)
                pair.observe(what, target=target)
            case "deliver":
                pair.deliver(lost=what == "lost", unheard=what == "unheard")
            case "restart":
                pair.mirror = None
            case _:
                keep = [edge.latest.check for edge in pair.ledger.snapshot(pair.now).edges]
                pair.ledger.retain([check for check in keep if check.target != what], pair.now)
                pair.deliver(lost=True)  # an edge that is made anew before any report keeps its trials in the mirror
    pair.settle()
    pair.compare()


def test_trials_that_the_ledger_forgot_before_they_were_received_are_counted() -> None:
    pair = Pair(trials=16)
    pair.observe(10)
    pair.deliver()
    pair.observe(20)
    pair.deliver(lost=True)
    pair.observe(10)
    pair.deliver()
    assert pair.outgoing.dropped == 30 - 16
    pair.deliver()
    assert pair.mirror is not None
    assert pair.mirror.report.dropped == 14


def test_the_first_bad_trial_after_good_ones_is_urgent_and_the_next_ones_are_not() -> None:
    pair = Pair()
    pair.observe(3)
    assert pair.urgent == 0
    pair.observe(3, fault=Fault.TIMEOUT)
    assert pair.urgent == 1
    pair.observe(1, fault=Fault.LOCAL)
    assert pair.urgent == 1


def test_a_report_that_builds_on_an_unknown_one_is_not_taken() -> None:
    pair = Pair()
    pair.observe(3)
    pair.deliver()
    pair.mirror = None
    pair.observe(1)
    report = pair.report()
    assert Mirror(report, START).take(report, ROSTER, START) is None


def test_a_report_that_comes_twice_changes_nothing() -> None:
    pair = Pair()
    pair.observe(3)
    report = pair.report()
    mirror = Mirror(report, START)
    assert mirror.take(report, ROSTER, START) is not None
    before = mirror.snapshot(pair.now)
    assert mirror.take(report, ROSTER, START) is not None
    assert mirror.snapshot(pair.now) == before


def test_a_small_report_is_a_sign_of_life_and_keeps_what_was_told() -> None:
    pair = Pair()
    pair.observe(3)
    pair.deliver()
    pair.observe(2)
    assert pair.mirror is not None
    small = pair.outgoing.report(pair.head(), 2.0, withheld=9000)
    assert small.edges == ()
    assert pair.mirror.take(small, ROSTER, pair.now + OFF) is not None
    pair.outgoing.received(Receipt(REPORT_SCHEMA, pair.mirror.sequence, 2.0))
    assert pair.mirror.report.withheld == 9000
    pair.deliver()
    pair.compare()


def forged(number: int, trials: int = 1, first: int = 0) -> EdgeReport:
    edge = Edge(
        observation(START),
        Window(10.0),
        Window(60.0),
        tuple(Trial(START, n, 8, 8, 0, 0.0, 0.0, None) for n in range(trials)),
    )
    return EdgeReport(number, observation(START).check, first, 1 << 32, 1.0, edge)


def test_an_agent_that_invents_edges_and_trials_makes_a_mirror_no_larger_than_a_ledger() -> None:
    edges = (*map(forged, range(MOST_MIRRORED + 10)), forged(1, trials=4000, first=1))
    report = Report(REPORT_SCHEMA, 1, 0, 2.0, "", HEAD, edges=edges)
    mirror = Mirror(report, START)
    assert mirror.take(report, ROSTER, START) is not None
    snapshot = mirror.snapshot(START)
    assert len(snapshot.edges) == MOST_MIRRORED
    assert max(len(edge.trials) for edge in snapshot.edges) == 256


@pytest.mark.parametrize("first", [0, 1 << 53])
def test_a_count_of_trials_that_is_made_up_harms_nobody(first: int) -> None:
    report = Report(REPORT_SCHEMA, 1, 0, 2.0, "", HEAD, edges=(forged(1, 3, first), forged(1, 3, 0)))
    mirror = Mirror(report, START)
    assert mirror.take(report, ROSTER, START) is not None
    assert len(mirror.snapshot(START).edges) == 1


def test_minutes_that_are_made_up_take_no_more_room_than_a_quarter_of_an_hour() -> None:
    past = tuple(Minute(START - 60.0 * n, 1) for n in range(1000, 0, -1))
    edge = msgspec.structs.replace(forged(1).edge, past=past)
    report = Report(REPORT_SCHEMA, 1, 0, 2.0, "", HEAD, edges=(EdgeReport(1, edge.latest.check, 0, 1, 1.0, edge),))
    mirror = Mirror(report, START)
    assert mirror.take(report, ROSTER, START) is not None
    assert len(mirror.snapshot(START).edges[0].past) == 20
    assert {minute.at >= START - 900 for minute in summed(mirror.snapshot(START)).edges[0].past} == {True}


def test_facts_are_told_when_they_change_and_again_to_who_does_not_know_them() -> None:
    pair = Pair()
    before, after = NodeFacts(kernel="6.18"), NodeFacts(kernel="6.19")

    def told(facts: NodeFacts) -> NodeFacts | None:
        report = pair.outgoing.report(msgspec.structs.replace(pair.head(), facts=facts), 2.0)
        mirror = pair.mirror = pair.mirror or Mirror(report, pair.now + OFF)
        whole = mirror.take(report, ROSTER, pair.now + OFF) is None
        pair.outgoing.received(Receipt(REPORT_SCHEMA, mirror.sequence, 2.0, whole=whole))
        assert whole or mirror.snapshot(pair.now).facts == facts
        return report.head.facts

    assert [told(before), told(before), told(after), told(after)] == [before, None, after, None]
    pair.mirror = None
    told(after)
    assert told(after) == after


def test_a_report_that_builds_on_an_unknown_one_is_not_kept_with_its_edges() -> None:
    pair = Pair()
    pair.observe()
    report = msgspec.structs.replace(pair.report(), base=1, sequence=2, roster=ROSTER, held="x")
    mirror = Mirror(report, START)
    assert mirror.take(report, ROSTER, START) is None
    kept = mirror.report
    assert (kept.edges, kept.roster, kept.levels, kept.held) == ((), None, None, "")


def test_after_very_many_edges_that_came_and_went_unheard_a_report_takes_nothing_as_known() -> None:
    pair = Pair()
    pair.deliver()
    for number in range(3):
        for target in range(4000):
            pair.observe(target=f"{number}-{target}")
        pair.deliver(unheard=True)
        pair.ledger.retain([], pair.now)
    report = pair.report()
    assert (report.base, report.gone) == (0, ())
    pair.settle()
    pair.compare()

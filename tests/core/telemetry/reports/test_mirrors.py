import msgspec

from kubesonar.core.diagnosis.verdict import judge
from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions, Mirrors
from kubesonar.core.telemetry.reports.outgoing import Outgoing, ReportLog
from kubesonar.core.telemetry.reports.report import Receipt, Report
from kubesonar.model import Check, Health, Kind, Member, Network, Observation, Path, Roster, Side, Snapshot, Train

START = 1_700_000_000.0
MEMBERS = tuple(Member(f"m{n}", f"node-{n}", (f"10.0.0.{n}",), 7473, epoch=1) for n in range(1, 4))
ROSTER = Roster("r1", MEMBERS)


class Reporting:
    """An agent that reports to mirrors; `ahead` is how much its clock is ahead of the collector's."""

    def __init__(self, member: Member, mirrors: Mirrors, ahead: float = 0.0) -> None:
        self.ledger = Ledger(member, START - 100 + ahead, LedgerOptions())
        self.ledger.roster_changed(ROSTER)
        self.outgoing = Outgoing(self.ledger, ReportLog(self.ledger, lambda: None))
        self.mirrors = mirrors
        self.ahead = ahead

    def made(self, now: float, withheld: int = 0) -> Report:
        return self.outgoing.report(self.ledger.head(now + self.ahead), 2.0, withheld)

    def report(self, now: float) -> Receipt | str:
        return self.given(self.made(now), now)

    def given(self, report: Report, now: float) -> Receipt | str:
        receipt = self.mirrors.take(report, now)
        if isinstance(receipt, Receipt) and self.outgoing.received(receipt):
            return self.report(now)
        return receipt

    def train(self, at: float, number: int, peer: Member, side: Side = Side.SOURCE) -> None:
        name = f"udp/pod/{peer.name}" if side is Side.SOURCE else f"udp/from/{peer.name}"
        check = Check(name, Kind.UDP, Path.POD, peer.name, peer.addresses[0], timeout=1.0)
        me = self.ledger.member.name
        train = Train(number, seen=8)
        self.ledger.add(
            Observation(check, me, Network.POD, at + self.ahead, side=side, sent=8, received=8, train=train)
        )


def names(snapshots: list[Snapshot]) -> set[str]:
    return {snapshot.member.name for snapshot in snapshots}


def test_a_roster_of_names_that_are_made_up_is_refused_and_takes_no_room() -> None:
    mirrors = Mirrors(MirrorOptions(members=5))
    agents = [Reporting(member, mirrors) for member in MEMBERS]
    said = []
    for number, (agent, size) in enumerate(zip(agents, (30, 50, 51), strict=True)):
        agent.ledger.roster_changed(
            Roster(f"r{number}", tuple(Member(f"x{number}-{n}", "n", ("10.9.0.1",), 7473) for n in range(size)))
        )
        said.append(agent.report(START))
    assert isinstance(said[0], Receipt)
    assert said[1:] == [
        "roster: the collector keeps at most 50 members (agents.members)",
        "roster: expected at most 50 members, got 51",
    ]
    assert len(list(mirrors.members())) == 30


def test_who_reports_is_read_who_stops_is_missing_and_who_never_did_is_named() -> None:
    mirrors = Mirrors(MirrorOptions())
    one, two = (Reporting(member, mirrors) for member in MEMBERS[:2])
    one.report(START)
    two.report(START)
    one.report(START + 10)
    found = mirrors.collected(START + 10)
    assert names(found.snapshots) == {"m1"}
    assert found.unread == {"m2": "it has not reported for 10 s", "m3": "it has not reported yet"}
    two.report(START + 11)
    assert names(mirrors.collected(START + 11).snapshots) == {"m1", "m2"}


def test_who_stopped_is_missing_also_after_the_clock_was_set_back() -> None:
    mirrors = Mirrors(MirrorOptions())
    one, two = (Reporting(member, mirrors) for member in MEMBERS[:2])
    two.report(START - 10)
    one.report(START)
    assert names(mirrors.collected(START).snapshots) == {"m1"}
    for second in range(1, 8):
        one.report(START - 3600 + second)
        found = mirrors.collected(START - 3600 + second)
        assert "m1" not in found.unread
    assert names(found.snapshots) == {"m1"}
    assert found.at == START - 3593
    assert found.unread["m2"] == "it has not reported for 6 s"
    assert mirrors.collected(START - 3600 + 700).unread.keys() == {"m1", "m2", "m3"}


def test_what_an_agent_said_before_the_clock_was_set_back_is_as_old_as_it_was() -> None:
    mirrors = Mirrors(MirrorOptions())
    one = Reporting(MEMBERS[0], mirrors)
    one.report(START)
    (snapshot,) = mirrors.collected(START - 3600).snapshots
    assert snapshot.at == START


def test_the_roster_is_told_once_for_all_agents() -> None:
    mirrors = Mirrors(MirrorOptions())
    one, two = (Reporting(member, mirrors) for member in MEMBERS[:2])
    first = mirrors.take(one.made(START), START)
    assert isinstance(first, Receipt)
    assert first.roster
    one.outgoing.received(first)
    assert one.made(START).roster == ROSTER
    one.report(START)
    second = mirrors.take(two.made(START), START)
    assert isinstance(second, Receipt)
    assert not second.roster
    shared = [snapshot.roster for snapshot in mirrors.collected(START).snapshots]
    assert shared == [ROSTER, ROSTER]
    assert shared[0] is shared[1]


def test_a_roster_under_another_ones_digest_is_refused() -> None:
    mirrors = Mirrors(MirrorOptions())
    one = Reporting(MEMBERS[0], mirrors)
    report = one.made(START)
    forged = msgspec.structs.replace(report, roster=Roster("r1", MEMBERS[:1]))
    assert mirrors.take(forged, START) == "roster: expected the one that digest stands for"


def test_an_agent_that_started_again_begins_anew_and_its_former_life_is_refused() -> None:
    mirrors = Mirrors(MirrorOptions())
    before = Reporting(MEMBERS[0], mirrors)
    before.train(START, 1, MEMBERS[1])
    before.report(START)
    after = Reporting(msgspec.structs.replace(MEMBERS[0], epoch=2), mirrors)
    after.report(START + 1)
    (snapshot,) = mirrors.collected(START + 1).snapshots
    assert (snapshot.member.epoch, snapshot.edges) == (2, ())
    assert "earlier life" in str(before.report(START + 2))


def test_an_agent_that_started_again_after_its_clock_was_set_back_is_heard_once_its_former_life_is_silent() -> None:
    mirrors = Mirrors(MirrorOptions())
    before = Reporting(msgspec.structs.replace(MEMBERS[0], epoch=7_200_000), mirrors)
    before.train(START, 1, MEMBERS[1])
    before.report(START)
    after = Reporting(msgspec.structs.replace(MEMBERS[0], epoch=1000), mirrors)
    assert "earlier life" in str(after.report(START + 2))
    assert isinstance(after.report(START + 6), Receipt)
    (snapshot,) = mirrors.collected(START + 6).snapshots
    assert (snapshot.member.epoch, snapshot.edges) == (1000, ())
    assert isinstance(after.report(START + 8), Receipt)


def test_agents_beyond_the_bound_are_refused_and_counted() -> None:
    mirrors = Mirrors(MirrorOptions(members=1))
    assert isinstance(Reporting(MEMBERS[0], mirrors).report(START), Receipt)
    assert "at most 1 agents (reports.members)" in str(Reporting(MEMBERS[1], mirrors).report(START))
    assert len(mirrors) == 1


def test_many_agents_are_asked_to_report_less_often() -> None:
    mirrors = Mirrors(MirrorOptions(interval=2.0, rate=1.0))
    receipts = [Reporting(member, mirrors).report(START) for member in MEMBERS]
    assert [receipt.interval for receipt in receipts if isinstance(receipt, Receipt)] == [2.0, 2.0, 3.0]


def test_an_agent_that_is_gone_and_that_no_roster_names_is_forgotten() -> None:
    mirrors = Mirrors(MirrorOptions())
    one = Reporting(MEMBERS[0], mirrors)
    stranger = Reporting(Member("old", "node-9", ("10.0.0.9",), 7473), mirrors)
    one.report(START)
    stranger.report(START)
    one.report(START + 601)
    mirrors.collected(START + 601)
    assert len(mirrors) == 1


def test_reports_that_come_at_different_times_make_no_loss_nor_do_clocks_that_differ() -> None:
    """A train's two ends are told up to an interval apart; until both are, it counts for neither."""
    mirrors = Mirrors(MirrorOptions())
    agents = [Reporting(member, mirrors, ahead) for member, ahead in zip(MEMBERS, (0.0, 30.0, -4.0), strict=True)]
    said = set()
    for tenth in range(400):
        now = START + tenth / 10
        for index, agent in enumerate(agents):
            if tenth % 5 == index:
                for other in agents:
                    if other is not agent:
                        agent.train(now, tenth, other.ledger.member)
                        other.train(now, tenth, agent.ledger.member, Side.RESPONDER)
            if (tenth + 7 * index) % 20 == 0:
                agent.report(now)
        if tenth > 200:
            found = mirrors.collected(now)
            said.add(judge(found.snapshots, found.unread, found.at, str).verdict)
    assert said == {Health.GOOD}


def test_an_agent_of_which_only_small_packets_get_through_is_named() -> None:
    mirrors = Mirrors(MirrorOptions())
    one = Reporting(MEMBERS[0], mirrors)
    one.report(START)
    one.given(one.made(START + 1, withheld=9000), START + 1)
    assert "only small packets get through" in mirrors.collected(START + 1).unread["m1"]

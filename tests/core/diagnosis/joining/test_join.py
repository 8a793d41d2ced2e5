from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from kubesonar.core.diagnosis.evidence import Cell, Evidence
from kubesonar.core.diagnosis.joining.join import collect
from kubesonar.core.diagnosis.parts.traversal import EITHER, Aspect, Way
from kubesonar.core.diagnosis.population import standing
from kubesonar.core.telemetry.ledger import window
from kubesonar.model import (
    Check,
    Edge,
    Fault,
    Kind,
    Member,
    Minute,
    Network,
    Observation,
    Path,
    Side,
    Snapshot,
    State,
    Trial,
    Trouble,
)
from tests.core.snapshots import snapshot_of

NOW = 2_000_000.0
A = Member("a-pod", "a", ("10.0.0.1",), 7473)
B = Member("b-pod", "b", ("10.0.0.2",), 7473)


def edge(kind: Kind, target: str, trials: Sequence[Trial], side: Side = Side.SOURCE) -> Edge:
    check = Check(f"{kind}/{side}/{target}", kind, Path.POD, target, "10.0.0.9", 7473, timeout=1.0)
    latest = Observation(check, "any", Network.POD, NOW, side=side)
    return Edge(latest, window([*trials], NOW, 10.0), window([*trials], NOW, 60.0), tuple(trials))


def snapshot(member: Member, *edges: Edge, clock: float = 0.0, started: float = NOW - 1000, **more: Any) -> Snapshot:
    given = {"members": (A, B), **more}
    return snapshot_of(member, *edges, at=NOW + clock, started=started + clock, **given)


def train(
    age: float,
    number: int,
    sent: int = 8,
    received: int = 8,
    seen: int = 0,
    fault: Fault | None = None,
    clock: float = 0,
) -> Trial:
    return Trial(NOW - age + clock, number, sent, received, seen, 0.001, 0.0, fault)


def gather(*snapshots: Snapshot, unread: dict[str, str] | None = None) -> Evidence:
    evidence = collect(standing(snapshots, unread or {}, NOW))
    evidence.all_cells()
    return evidence


def counts(evidence: Evidence, way: Way, question: Aspect = Aspect.REACH) -> tuple[int, int]:
    """Trials and bad trials one way."""
    cells: list[Cell] = [c for c in evidence.cells if c.route.way is way and c.route.question is question]
    return sum(sum(cell.total) for cell in cells), sum(sum(cell.bad) for cell in cells)


def records(*trials: Trial) -> Edge:
    return edge(Kind.UDP, "a-pod", trials, Side.RESPONDER)


def test_the_ways_are_told_apart_train_by_train() -> None:
    mine = edge(Kind.UDP, "b-pod", [train(5, 1), train(4, 2, received=6), train(3, 3, received=5)])
    theirs = records(train(5, 1), train(4, 2, sent=6, received=6), train(3, 3))
    evidence = gather(snapshot(A, mine), snapshot(B, theirs))
    assert counts(evidence, Way.FORWARD) == (3, 1)
    assert counts(evidence, Way.BACK) == (3, 1)
    assert counts(evidence, Way.ROUND) == (0, 0)


def test_a_train_that_left_no_record_did_not_arrive() -> None:
    mine = edge(Kind.UDP, "b-pod", [train(5, 1), train(4, 2, received=0, fault=Fault.TIMEOUT)])
    evidence = gather(snapshot(A, mine), snapshot(B, records(train(5, 1))))
    assert counts(evidence, Way.FORWARD) == (2, 1)
    assert counts(evidence, Way.BACK) == (1, 0)


def test_one_record_of_a_peer_holds_its_trains_over_all_address_families() -> None:
    trains = [train(5, 1, received=0, fault=Fault.TIMEOUT), train(4, 3, received=0, fault=Fault.TIMEOUT)]
    mine = edge(Kind.UDP, "b-pod", trains)
    older = msgspec.structs.replace(mine, latest=msgspec.structs.replace(mine.latest, family=6))
    theirs = records(train(5, 1), train(4, 3))
    for asked in (mine, older):
        evidence = gather(snapshot(A, asked), snapshot(B, theirs))
        assert counts(evidence, Way.FORWARD) == (2, 0)
        assert counts(evidence, Way.BACK) == (2, 2)


def test_the_newest_trains_wait_for_their_records() -> None:
    mine = edge(Kind.UDP, "b-pod", [train(1.5, 1, received=0, fault=Fault.TIMEOUT), train(0.1, 2)])
    evidence = gather(snapshot(A, mine), snapshot(B, records(train(5, 9))))
    assert evidence.cells == []


def test_without_the_other_end_a_train_is_one_round_trip() -> None:
    """What answers say of what had arrived is said only where answers came back, so counting it would favour one
    way."""
    mine = edge(
        Kind.UDP,
        "b-pod",
        [
            train(7, 1, received=6, seen=8),  # all arrived, two answers were lost
            train(6, 2, received=6, seen=7),  # an answer was lost; whether one did not arrive is open
            train(5, 3, received=6, seen=6),  # either way
            train(4, 4, received=0, fault=Fault.TIMEOUT),
        ],
    )
    evidence = gather(snapshot(A, mine), unread={"b-pod": "no answer within 2 s"})
    assert counts(evidence, Way.FORWARD) == counts(evidence, Way.BACK) == (0, 0)
    assert counts(evidence, Way.ROUND) == (4, 4)


def test_what_was_recorded_of_a_members_trains_counts_where_it_was_not_read() -> None:
    """A train whose number is missing between two that arrived did not arrive; what came after the last is open."""
    theirs = edge(Kind.UDP, "b-pod", [train(9, 1), train(7, 3, received=6), train(5, 4)], Side.RESPONDER)
    evidence = gather(snapshot(A, theirs), unread={"b-pod": "no answer within 2 s"})
    assert counts(evidence, Way.FORWARD) == (4, 2)
    assert counts(evidence, Way.BACK, Aspect.ALIVE) == (4, 0)
    assert "b-pod" in evidence.heard


def test_of_a_member_that_was_not_read_nobody_knows_which_address_family_its_trains_were_lost_in() -> None:
    def forward(lost: int) -> Evidence:
        trains = [train(30 - n, n, received=8 - (n < lost)) for n in range(20)]
        theirs = edge(Kind.UDP, "b-pod", trains, Side.RESPONDER)
        asked = edge(Kind.UDP, "b-pod", [train(9, 1)])
        six = msgspec.structs.replace(
            asked.latest, check=msgspec.structs.replace(asked.latest.check, address="fd00::9")
        )
        both = snapshot(A, theirs, asked, msgspec.structs.replace(asked, latest=six))
        return gather(both, unread={"b-pod": "no answer within 2 s"})

    assert [counts(forward(lost), Way.FORWARD) for lost in (1, 10, 19)] == [(20, 1), (20, 10), (20, 19)]
    families = {cell.route.family for cell in forward(1).cells if cell.route.way is Way.FORWARD and cell.route.reach}
    assert families == {EITHER}


def test_no_kind_of_probe_counts_sooner_than_trains_do() -> None:
    young = edge(Kind.ICMP, "b-pod", [Trial(NOW - age, 0, 1, 1, 0, 0.001, 0.0, None) for age in (3.0, 1.5)])
    assert counts(gather(snapshot(A, young)), Way.ROUND) == (1, 0)


def test_a_name_that_was_not_resolved_says_nothing_of_what_it_names() -> None:
    asked = Check("http/api", Kind.HTTP, Path.API_DNS, "api", "kubernetes.default.", request="https://api/")
    trials = [Trial(NOW - age, 0, 1, 0, 0, 0.0, 0.0, fault) for age, fault in ((9, Fault.UNRESOLVED), (8, None))]
    trials[1] = msgspec.structs.replace(trials[1], received=1)
    latest = Observation(asked, "any", Network.POD, NOW)
    evidence = gather(snapshot(A, Edge(latest, window(trials, NOW, 10.0), window(trials, NOW, 60.0), tuple(trials))))
    assert counts(evidence, Way.ROUND) == counts(evidence, Way.ROUND, Aspect.ANSWER) == (1, 0)
    assert counts(evidence, Way.ROUND, Aspect.RESOLVE) == (2, 1)
    assert {cell.route.port for cell in evidence.cells if cell.route.reach} == {443}


def plain(check: Check, *trials: Trial) -> Snapshot:
    latest = Observation(check, "any", Network.POD, NOW)
    return snapshot(A, Edge(latest, window([*trials], NOW, 10.0), window([*trials], NOW, 60.0), trials))


@pytest.mark.parametrize(
    ("address", "request_", "asked"),
    [("", "http://10.96.0.50:7473/", 0), ("", "http://[fd00::50]/", 0), ("", "http://shop.test/", 1)],
)
def test_a_url_with_an_address_needs_no_look_up(address: str, request_: str, asked: int) -> None:
    check = Check("http/service", Kind.HTTP, Path.SERVICE, "service", address, request=request_)
    evidence = gather(
        plain(check, Trial(NOW - 8, 0, 1, 1, 0, 0.0, 0.0, None), Trial(NOW - 7, 0, 1, 0, 0, 0.0, 0.0, Fault.TIMEOUT))
    )
    assert counts(evidence, Way.ROUND, Aspect.RESOLVE) == (2 * asked, 0)


def test_what_a_plain_target_answers_counts_at_once_and_its_silence_after_the_timeout() -> None:
    check = Check("http/shop", Kind.HTTP, Path.EXTERNAL, "shop", "10.9.0.1", 80, timeout=3.0)
    ages = ((9.0, None), (8.0, Fault.TIMEOUT), (1.0, Fault.WRONG_ANSWER), (0.9, None), (0.1, Fault.WRONG_ANSWER))
    trials = [Trial(NOW - age, 0, 1, int(fault is None), 0, 0.0, 0.0, fault) for age, fault in ages]
    evidence = gather(plain(check, *trials))
    assert counts(evidence, Way.ROUND, Aspect.ANSWER) == (3, 1)
    assert counts(evidence, Way.ROUND, Aspect.REACH) == (2, 1)


def test_clocks_that_differ_are_joined_all_the_same() -> None:
    mine = edge(Kind.UDP, "b-pod", [train(5, 1), train(4, 2, received=0, fault=Fault.TIMEOUT)])
    theirs = records(train(5, 1, clock=90))
    evidence = gather(snapshot(A, mine), snapshot(B, theirs, clock=90))
    assert counts(evidence, Way.FORWARD) == (2, 1)


def test_a_refusal_reaches_and_does_not_answer() -> None:
    trials = [Trial(NOW - 5, 0, 1, 0, 0, 0.0, 0.0, Fault.REFUSED), Trial(NOW - 4, 0, 1, 0, 0, 0.0, 0.0, Fault.TIMEOUT)]
    evidence = gather(snapshot(A, edge(Kind.TCP, "b-pod", trials)))
    assert counts(evidence, Way.ROUND, Aspect.REACH) == (2, 1)
    assert counts(evidence, Way.ROUND, Aspect.ANSWER) == (1, 1)


def test_blameless_faults_count_nowhere_and_a_mismatch_is_kept() -> None:
    trials = [
        train(9, n, received=0, fault=fault)
        for n, fault in enumerate((Fault.LOCAL, Fault.NOT_PERMITTED, Fault.MISMATCH))
    ]
    evidence = gather(snapshot(A, edge(Kind.UDP, "b-pod", trials)), snapshot(B))
    assert evidence.cells == []
    assert evidence.mismatches == {("a-pod", "b-pod")}


def test_neither_end_counts_while_it_was_in_trouble_nor_before_it_started() -> None:
    lost = edge(Kind.UDP, "b-pod", [train(age, age, received=0, fault=Fault.TIMEOUT) for age in range(5, 30)])
    froze = (Trouble(NOW - 40, NOW - 3, "frozen"),)
    assert gather(snapshot(A, lost, troubles=froze), snapshot(B)).cells == []
    assert gather(snapshot(A, lost), snapshot(B, troubles=froze)).cells == []
    assert gather(snapshot(A, lost), snapshot(B, started=NOW - 4.5)).cells == []


@pytest.mark.parametrize("troubled", ["source", "target"])
@pytest.mark.parametrize("until", [NOW - 3, None])
def test_after_long_trouble_nothing_older_counts_and_after_a_short_one_it_does(
    troubled: str, until: float | None
) -> None:
    """What was cured just before the trouble would be told again: the trial that shows the cure is not trusted."""
    lost = edge(Kind.UDP, "b-pod", [train(age, age, received=0, fault=Fault.TIMEOUT) for age in range(30, 40)])
    for began, counted in ((NOW - 25, False), (NOW - 6, True)):
        froze = (Trouble(began, until, "frozen"),)
        of = {troubled: froze}
        evidence = gather(snapshot(A, lost, troubles=of.get("source", ())), snapshot(B, troubles=of.get("target", ())))
        assert bool(evidence.cells) is counted


def test_members_that_are_not_expected_are_left_out() -> None:
    drained = Member("b-pod", "b", ("10.0.0.2",), 7473, state=State.DRAINING, reason="drill")
    lost = edge(Kind.UDP, "b-pod", [train(5, 1, received=0, fault=Fault.TIMEOUT)])
    who = standing([snapshot(A, lost, members=(A, drained))], {"b-pod": "connection refused"}, NOW)
    assert collect(who).cells == []
    assert who.excused == {"b-pod": "b-pod draining: drill"}


def test_a_roster_that_names_nobody_of_a_network_does_not_speak_of_it() -> None:
    host = Member("a-host", "a", ("192.0.2.1",), 7474, Network.HOST)
    pods, hosts, never = (
        snapshot(A),
        snapshot(host, members=(host,), revision="2"),
        snapshot(B, members=(), revision=""),
    )
    assert standing([pods, hosts, never], {}, NOW).expected == {"a-pod", "b-pod", "a-host"}


def test_a_restarted_member_counts_anew() -> None:
    """The record of a train of the same number from before the restart is not taken for this one's."""
    mine = edge(Kind.UDP, "b-pod", [train(5, 1, received=0, fault=Fault.TIMEOUT)])
    evidence = gather(snapshot(A, mine), snapshot(B, records(train(50, 1))))
    assert counts(evidence, Way.FORWARD) == (1, 1)


def test_the_time_that_reading_took_is_nobodys() -> None:
    late = standing([snapshot(A, clock=-2.0), snapshot(B, clock=-1.5)], {}, NOW)
    assert late.now == NOW - 1.5
    assert late.offset("a-pod") == 0.5


def sized(age: float, rate: float) -> Trial:
    return Trial(NOW - age, 0, 1, 1, 0, 0, rate, None)


def test_of_the_rates_of_a_minute_the_newest_count_each_with_when_it_was_measured() -> None:
    trials = [sized(age, rate) for age, rate in ((50.0, 3e6), (40.0, 0.0), (20.0, 2e6), (0.1, 0.0))]
    (speed,) = collect(standing([snapshot(A, edge(Kind.MTU, "b-pod", trials)), snapshot(B)], {}, NOW)).speeds
    assert (speed.source, speed.target) == ("a-pod", "b-pod")
    assert speed.rates == ((NOW - 40.0, 0.0), (NOW - 20.0, 2e6), (NOW - 0.1, 0.0))


MINUTE = NOW - 300.0


def with_past(told: Edge, *minutes: Minute) -> Edge:
    return msgspec.structs.replace(told, past=minutes)


def past_counts(evidence: Evidence, way: Way) -> tuple[int, int]:
    """Trials and bad trials of the past one way."""
    cells = [cell for cell in evidence.cells if cell.route.way is way and cell.route.question is Aspect.REACH]
    start = evidence.ages.window
    return sum(sum(cell.total[start:]) for cell in cells), sum(sum(cell.bad[start:]) for cell in cells)


def faint() -> Edge:
    """Two dozen trains of the past, of which one lost a datagram on the way there, one on the way back, and one most
    of its datagrams."""
    bad = train(290, 2, received=7, seen=7), train(280, 3, received=7, seen=8), train(270, 4, received=2, seen=2)
    return with_past(edge(Kind.UDP, "b-pod", [train(5, 1)]), Minute(MINUTE, 24, bad))


def test_faint_loss_of_the_past_has_a_direction_by_what_the_responder_kept_of_incomplete_trains() -> None:
    incomplete = Minute(MINUTE, 24, (train(290, 2, sent=7, received=7, seen=8),))
    evidence = gather(snapshot(A, faint()), snapshot(B, with_past(records(train(5, 1)), incomplete)))
    assert past_counts(evidence, Way.FORWARD) == (24, 1)
    assert past_counts(evidence, Way.BACK) == (23, 1)


def test_a_responder_of_the_version_before_has_no_past_and_what_it_had_seen_tells_the_direction() -> None:
    evidence = gather(snapshot(A, faint()), snapshot(B, records(train(5, 1))))
    assert past_counts(evidence, Way.FORWARD) == (23, 1)
    assert past_counts(evidence, Way.BACK) == (24, 1)


@pytest.mark.parametrize("trials", [0, 1, 1 << 32])
def test_a_minute_that_tells_fewer_trials_than_bad_ones_or_billions_is_believed_in_part(trials: int) -> None:
    bad = train(290, 2, received=7, seen=7), train(280, 3, received=7, seen=7)
    told = with_past(edge(Kind.UDP, "b-pod", [train(5, 1)]), Minute(MINUTE, trials, bad))
    counted, lost = past_counts(gather(snapshot(A, told), snapshot(B, records(train(5, 1)))), Way.FORWARD)
    assert lost == 2
    assert 2 <= counted <= 1 << 16


def test_minutes_in_which_the_target_was_in_trouble_or_had_not_started_do_not_count() -> None:
    trouble = Trouble(NOW - 260.0, NOW - 250.0, "starved")
    assert past_counts(gather(snapshot(A, faint()), snapshot(B, troubles=(trouble,))), Way.FORWARD) == (0, 0)
    assert past_counts(gather(snapshot(A, faint()), snapshot(B, started=NOW - 270.0)), Way.FORWARD) == (0, 0)


def test_of_members_only_trains_tell_of_the_past_and_of_plain_targets_all() -> None:
    silent = Minute(MINUTE, 6, (train(290, 0, sent=1, received=0, fault=Fault.TIMEOUT),))
    asked = [with_past(edge(Kind.HTTP, target, [train(8, 0, sent=1, received=1)]), silent) for target in ("b-pod", "x")]
    outside = [
        msgspec.structs.replace(each.latest, check=msgspec.structs.replace(each.latest.check, path=Path.EXTERNAL))
        for each in asked
    ]
    assert past_counts(gather(snapshot(A, asked[0]), snapshot(B)), Way.ROUND) == (0, 0)
    plain = msgspec.structs.replace(asked[1], latest=outside[1])
    assert past_counts(gather(snapshot(A, plain), snapshot(B)), Way.ROUND) == (6, 1)


C = Member("c-pod", "c", ("10.0.0.3",), 7473)
D = Member("d-pod", "d", ("10.0.0.4",), 7473)
GONE = train(290, 2, received=3, seen=3)


def asked_with_one_lost() -> Edge:
    """Questions by UDP to a DNS server on node b, one of which was lost in the past."""
    told = edge(Kind.DNS, "dns-1", [train(8, 0, sent=1, received=1)])
    check = msgspec.structs.replace(told.latest.check, path=Path.DNS_POD, node="b", request="a. A udp")
    told = msgspec.structs.replace(told, latest=msgspec.structs.replace(told.latest, check=check))
    return with_past(told, Minute(MINUTE, 6, (train(290, 0, sent=1, received=0, fault=Fault.TIMEOUT),)))


def lost_questions(*snapshots: Snapshot) -> tuple[int, int]:
    """Questions of the past to the DNS server, and those of them that were lost."""
    evidence = gather(*snapshots)
    start = evidence.ages.window
    (cell,) = (each for each in evidence.cells if each.route.kind is Kind.DNS and each.route.reach)
    return sum(cell.total[start:]), sum(cell.bad[start:])


def trains_to(target: str, *lost: Trial) -> Edge:
    return with_past(edge(Kind.UDP, target, [train(5, 1)]), Minute(MINUTE, 24, lost))


@pytest.mark.parametrize(
    ("trains", "counted"),
    [
        ({"b-pod": [GONE]}, (5, 0)),
        ({"b-pod": [], "c-pod": [GONE]}, (6, 1)),
        ({"b-pod": [train(270, 2, received=3)]}, (6, 1)),
        ({"b-pod": [train(290, 2, received=7)]}, (6, 1)),
    ],
    ids=["where_it_was_lost", "elsewhere", "at_another_time", "faint_loss"],
)
def test_a_question_lost_in_a_burst_that_trains_saw_is_no_faint_loss_of_the_server(
    trains: dict[str, list[Trial]], counted: tuple[int, int]
) -> None:
    seen = [trains_to(target, *lost) for target, lost in trains.items()]
    mine = snapshot(A, asked_with_one_lost(), *seen, members=(A, B, C))
    others = [snapshot(each, members=(A, B, C)) for each in (B, C)]
    assert lost_questions(mine, *others) == counted


def test_a_burst_of_a_node_is_known_by_what_two_others_lost_with_it() -> None:
    members = (A, B, C, D)
    others = [snapshot(each, trains_to("b-pod", GONE), members=members) for each in (C, D)]
    mine = [snapshot(A, asked_with_one_lost(), trains_to("b-pod"), members=members), snapshot(B, members=members)]
    assert lost_questions(*mine, *others) == (5, 0)
    assert lost_questions(*mine, others[0]) == (6, 1)


def test_a_look_up_lost_in_a_burst_is_no_faint_loss_of_the_servers_either() -> None:
    told = edge(Kind.HTTP, "shop", [train(8, 0, sent=1, received=1)])
    check = msgspec.structs.replace(told.latest.check, path=Path.EXTERNAL, address="", request="http://shop.example/")
    told = msgspec.structs.replace(told, latest=msgspec.structs.replace(told.latest, check=check))
    lost = Minute(MINUTE, 6, (train(290, 0, sent=1, received=0, fault=Fault.UNRESOLVED),))
    trains = [trains_to(target, GONE) for target in ("b-pod", "c-pod")]
    others = [snapshot(each, members=(A, B, C)) for each in (B, C)]

    def failed(*more: Edge) -> int:
        evidence = gather(snapshot(A, with_past(told, lost), *more, members=(A, B, C)), *others)
        return sum(sum(cell.bad) for cell in evidence.cells if cell.route.question is Aspect.RESOLVE)

    assert failed() == 1
    assert failed(*trains) == 0


def filled(age: float, number: int, passed: bool, received: int = 7, sent: int = 7, full: int = 1) -> Trial:
    """A train with a full-size datagram, of which that many others came back; of a responder with `full` 0 sent."""
    trial = train(age, number, sent=sent, received=received)
    return msgspec.structs.replace(trial, full_sent=full, full_received=int(passed))


def test_a_lost_full_size_datagram_is_evidence_about_size_where_all_others_arrived() -> None:
    """It is never a loss, and where others were lost too nothing is said of size."""
    sent = [filled(5, 1, True), filled(4, 2, False), filled(3, 3, False, received=6), train(2.5, 4)]
    mine = edge(Kind.UDP, "b-pod", sent)
    round_trips = gather(snapshot(A, mine), unread={"b-pod": "no answer within 2 s"})
    assert counts(round_trips, Way.ROUND, Aspect.SIZE) == (2, 1)
    assert counts(round_trips, Way.ROUND) == (4, 1)
    arrived = [filled(5, 1, True), filled(4, 2, False), filled(3, 3, False, received=7), train(2.5, 4)]
    one_way = gather(snapshot(A, mine), snapshot(B, records(*arrived)))
    assert counts(one_way, Way.FORWARD, Aspect.SIZE) == (3, 2)
    assert counts(one_way, Way.FORWARD) == (4, 0)
    assert counts(one_way, Way.BACK) == (4, 1)


def test_a_full_size_datagram_whose_answer_was_lost_did_arrive() -> None:
    mine = edge(Kind.UDP, "b-pod", [filled(5, 1, False), filled(4, 2, False)])
    evidence = gather(snapshot(A, mine), snapshot(B, records(filled(5, 1, True), filled(4, 2, True, full=0))))
    assert counts(evidence, Way.FORWARD, Aspect.SIZE) == (2, 0)


def test_a_train_that_a_router_refused_as_too_big_is_answered_well_and_tells_the_size_that_passes() -> None:
    trial = msgspec.structs.replace(filled(5, 1, False), fault=Fault.TOO_BIG)
    mine = edge(Kind.UDP, "b-pod", [trial])
    told = msgspec.structs.replace(mine, latest=msgspec.structs.replace(mine.latest, fault=Fault.TOO_BIG, mtu=1400))
    evidence = gather(snapshot(A, told), unread={"b-pod": "no answer within 2 s"})
    assert counts(evidence, Way.ROUND, Aspect.ANSWER) == (1, 0)
    assert counts(evidence, Way.ROUND, Aspect.SIZE) == (1, 1)
    assert evidence.sizes == {("a-pod", "b-pod"): (1400, Fault.TOO_BIG)}


def met(kind: Kind, fault: Fault | None, age: float, trials: Sequence[Trial]) -> Edge:
    """An edge whose latest answer, so many seconds ago, was another member's or a good one."""
    told = edge(kind, "b-pod", trials)
    return msgspec.structs.replace(told, latest=msgspec.structs.replace(told.latest, fault=fault, at=NOW - age))


@pytest.mark.parametrize("kind", [Kind.UDP, Kind.HTTP, Kind.MTU])
def test_what_another_member_answers_is_no_evidence_of_the_target_by_any_kind(kind: Kind) -> None:
    strange = [train(7, 1, received=0, fault=Fault.MISDELIVERED), train(5, 2, received=0, fault=Fault.MISDELIVERED)]
    evidence = gather(snapshot(A, met(kind, Fault.MISDELIVERED, 5, strange)), snapshot(B))
    assert evidence.misdelivered == {"b-pod": {"a-pod": (NOW - 7, "10.0.0.9")}}
    assert evidence.cells == []


def test_a_good_answer_since_from_the_same_address_ends_what_another_kind_saw_before() -> None:
    strange = met(Kind.MTU, Fault.MISDELIVERED, 30, [train(30, 0, sent=1, received=0, fault=Fault.MISDELIVERED)])
    well = met(Kind.UDP, None, 3, [train(3, 1)])
    assert gather(snapshot(A, strange, well), snapshot(B)).misdelivered == {}
    again = met(Kind.HTTP, Fault.MISDELIVERED, 2, [train(2.5, 0, sent=1, received=0, fault=Fault.MISDELIVERED)])
    assert set(gather(snapshot(A, well, again), snapshot(B)).misdelivered) == {"b-pod"}


def test_a_mesh_that_has_just_started_is_judged_once_its_trials_since_then_reach_back() -> None:
    """Trials of a process's first seconds do not count, and must not keep those that follow from doing so."""

    def old(started: float) -> bool:
        edges = [
            edge(Kind.TCP, name, [train(age / 2, 0) for age in range(int(2 * started), 0, -1)])
            for name in ("b-pod", "a-pod")
        ]
        return gather(*(snapshot(me, one, started=NOW - started) for me, one in zip((A, B), edges, strict=True))).old

    assert not old(3.0)
    assert old(16.0)

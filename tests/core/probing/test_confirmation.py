from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from kubesonar.core.probing.budget import Spare
from kubesonar.core.probing.confirmation import (
    FAST,
    LASTS,
    MOST,
    MOST_FEW,
    PLAIN_FAST,
    PLAIN_LASTS,
    SPAN,
    Confirmation,
    is_suspicious,
)
from kubesonar.model import Check, Fault, Kernel, Kind, Network, Observation, Path, Train

PERIODS = {Kind.UDP: 2.5, Kind.TCP: 10.0, Kind.HTTP: 10.0, Kind.ICMP: 5.0, Kind.MTU: 60.0}
CHECKS = [
    Check(f"{kind}/{target}", kind, Path.POD, f"node-{target}", "10.0.0.1", 7473, period)
    for target in range(10)
    for kind, period in PERIODS.items()
]
PLAIN = Check("http/api", Kind.HTTP, Path.API_DIRECT, "api", "10.0.0.1", 443, 10.0)
UDP = CHECKS[0]


def seen(check: Check, fault: Fault | None = Fault.TIMEOUT, received: int = 0) -> Observation:
    return Observation(check, "me", Network.POD, 0.0, fault=fault, sent=8, received=received)


def confirming(*checks: Check) -> Confirmation:
    confirmation = Confirmation()
    confirmation.replace(0.0, checks or (*CHECKS, PLAIN), Spare())
    return confirmation


def made(confirmation: Confirmation, until: float, bad: bool = False) -> Counter[Kind]:
    """How many checks of each kind were made by then, every tenth of a second; all of them bad if so said."""
    count: Counter[Kind] = Counter()
    for step in range(int(until * 10)):
        now = step / 10
        for check in confirmation.take(now):
            count[check.kind] += 1
            if bad:
                confirmation.note(now, seen(check))
    return count


@pytest.mark.parametrize("kind", PERIODS)
def test_nothing_is_asked_besides_while_all_is_well(kind: Kind) -> None:
    confirmation = confirming()
    well = seen(next(check for check in CHECKS if check.kind is kind), None, 8)
    assert not is_suspicious(well)
    confirmation.note(0.0, well)
    assert confirmation.due is None
    assert made(confirmation, 60) == {}


def test_a_silent_target_is_asked_at_once_by_every_kind_and_faster_for_some_seconds() -> None:
    confirmation = confirming()
    confirmation.note(0.0, seen(UDP))
    first = confirmation.take(0.0)
    assert {check.kind for check in first} == {Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP}
    assert {check.target for check in first} == {"node-0"}
    count = made(confirmation, 60)
    assert count[Kind.UDP] == int(LASTS / FAST[Kind.UDP])
    assert confirmation.due is None


def test_some_lost_datagrams_are_worth_one_more_look() -> None:
    confirmation = confirming()
    confirmation.note(0.0, seen(UDP, None, 7))
    assert made(confirmation, 60) == {Kind.UDP: 1}


def test_a_syn_that_was_sent_again_is_worth_some_more_connections_and_a_second_one_all_that_is_asked() -> None:
    confirmation = confirming()
    tcp = next(check for check in CHECKS if check.kind is Kind.TCP)
    again = Observation(tcp, "me", Network.POD, 0.0, received=1, kernel=Kernel(retransmits=1))
    confirmation.note(0.0, again)
    asked = [(now, check.id) for now in range(30) for check in confirmation.take(float(now))]
    assert asked == [(now, tcp.id) for now in range(0, int(LASTS) + 1, int(FAST[Kind.TCP]))]
    confirmation.note(30.0, again)
    confirmation.note(32.0, again)
    assert {check.kind for check in confirmation.take(32.0)} == {Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP}


def test_big_packets_are_tried_again_only_where_they_vanish() -> None:
    confirmation = confirming()
    big = next(check for check in CHECKS if check.kind is Kind.MTU)
    confirmation.note(0.0, seen(big, Fault.BLACK_HOLE))
    assert made(confirmation, 5)[Kind.MTU] == 2


def filled(fault: Fault | None = None, received: int = 7, passed: int = 0) -> Observation:
    """A train of which the full-size datagram was lost, unless said otherwise."""
    train = Train(1, full=1500, full_sent=1, full_received=passed)
    return Observation(UDP, "me", Network.POD, 0.0, fault=fault, sent=7, received=received, train=train)


def test_a_lost_full_size_datagram_is_worth_one_more_look_and_the_second_a_search_for_the_size() -> None:
    confirmation = confirming()
    confirmation.note(0.0, filled())
    assert made(confirmation, 2) == {Kind.UDP: 1}
    confirmation.note(2.0, filled())
    assert {check.kind for check in confirmation.take(2.0)} == {Kind.UDP, Kind.MTU}


def test_a_size_that_a_router_refused_is_searched_for_at_once() -> None:
    confirmation = confirming()
    confirmation.note(0.0, filled(Fault.TOO_BIG))
    assert {check.kind for check in confirmation.take(0.0)} == {Kind.UDP, Kind.MTU}


def test_a_full_size_datagram_that_is_lost_among_others_says_nothing_of_size() -> None:
    confirmation = confirming()
    for _ in range(2):
        confirmation.note(0.0, filled(received=5))
    assert {check.kind for check in confirmation.take(0.0)} == {Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP}


def plain(path: Path, target: str, kind: Kind = Kind.DNS) -> Check:
    return Check(f"{kind}/{path}/{target}", kind, path, target, "10.96.0.1", 53, 10.0)


NAMED = plain(Path.INGRESS, "ingress", Kind.HTTP)
DNS = (plain(Path.DNS_SERVICE, "dns-service"), plain(Path.DNS_POD, "dns-1"), plain(Path.DNS_POD, "dns-2"))


def with_plain(rate: float) -> Confirmation:
    """With plain targets of which each check draws 1 on a budget that leaves so many a second."""
    confirmation, found = Confirmation(), (PLAIN, NAMED, *DNS)
    spare = Spare({"all": rate}, {check.id: {"all": 1.0} for check in found})
    confirmation.replace(-60.0, (*CHECKS, *found), spare)
    return confirmation


def test_a_plain_target_that_fails_is_asked_faster_where_its_budget_leaves_something() -> None:
    confirmation = with_plain(10.0)
    confirmation.note(0.0, seen(PLAIN, Fault.WRONG_ANSWER))
    count = made(confirmation, 60)[Kind.HTTP]
    assert PLAIN_LASTS / PLAIN_FAST - 1 <= count <= PLAIN_LASTS / PLAIN_FAST + 1


def test_where_the_budget_leaves_nothing_no_plain_target_is_asked_besides() -> None:
    for confirmation in (with_plain(0.0), confirming()):
        confirmation.note(0.0, seen(PLAIN))
        assert made(confirmation, 60) == {}


def test_no_more_is_asked_of_plain_targets_than_the_budget_leaves_and_of_each_the_same() -> None:
    confirmation = with_plain(0.5)
    asked: Counter[str] = Counter()
    for step in range(600):
        now = step / 10
        for check in DNS:
            confirmation.note(now, seen(check))
        asked.update(check.id for check in confirmation.take(now))
    assert 0.9 * 30 <= asked.total() <= 30 + 2
    assert max(asked.values()) - min(asked.values()) <= 2


def test_a_name_that_is_not_looked_up_accuses_the_dns_servers_and_not_what_it_names() -> None:
    confirmation = with_plain(10.0)
    confirmation.note(0.0, seen(NAMED, Fault.UNRESOLVED))
    assert {check.id for check in confirmation.take(1.9)} == {check.id for check in DNS}


def test_where_the_dns_service_does_not_answer_the_servers_behind_it_are_asked() -> None:
    confirmation = with_plain(10.0)
    confirmation.note(0.0, seen(DNS[0]))
    assert {check.id for check in confirmation.take(1.9)} == {check.id for check in DNS}
    confirmation = with_plain(10.0)
    confirmation.note(0.0, seen(DNS[1]))
    assert confirmation.take(1.9) == [DNS[1]]


def test_the_checks_of_one_target_are_not_all_made_at_the_same_moment() -> None:
    confirmation = with_plain(10.0)
    confirmation.note(0.0, seen(DNS[0]))
    assert confirmation.take(0.1) == []
    assert [len(confirmation.take(at)) for at in (0.5, 1.0, 1.5)] == [1, 1, 1]


def test_plain_targets_leave_packets_to_members() -> None:
    confirmation = with_plain(1000.0)
    for step in range(600):
        for check in (PLAIN, NAMED, *DNS):
            confirmation.note(step / 10, seen(check))
        confirmation.take(step / 10)
    confirmation.note(60.0, seen(UDP))
    assert UDP in confirmation.take(60.0)


PACKETS = {Kind.UDP: 16, Kind.ICMP: 2, Kind.TCP: 7, Kind.HTTP: 12, Kind.MTU: 40}


@pytest.mark.parametrize(("targets", "most"), [(10, MOST), (5, MOST), (4, MOST_FEW), (1, MOST_FEW)])
@pytest.mark.parametrize("churn", [False, True])
def test_loss_everywhere_is_no_storm(targets: int, most: float, churn: bool) -> None:
    """While nothing answers at all, in any half minute a member sends no more besides than is allowed, and nearly that
    much; nor where its checks are replaced again and again."""
    checks = CHECKS[: targets * len(PERIODS)]
    usual = sum(PACKETS[check.kind] / check.period for check in checks)
    confirmation = confirming(*checks)
    sent: list[float] = []
    for step in range(1200):
        now = step / 10
        if churn and step % 50 == 0:
            confirmation.replace(now, checks, Spare())
        for check in checks:
            confirmation.note(now, seen(check))
        sent.append(sum(PACKETS[check.kind] for check in confirmation.take(now)))
    spans = [sum(sent[start : start + int(10 * SPAN)]) for start in range(0, len(sent) - int(10 * SPAN), 10)]
    assert max(spans) <= most * SPAN * usual
    assert max(spans) >= min(0.6 * most, 1.0) * SPAN * usual


def test_a_check_that_is_no_longer_made_is_not_asked_again() -> None:
    confirmation = confirming()
    confirmation.note(0.0, seen(UDP))
    confirmation.replace(0.0, [msgspec.structs.replace(UDP, id="other")], Spare())
    assert confirmation.take(1.0) == []

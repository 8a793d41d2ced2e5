"""All agents together keep to the budgets, each knowing only how many they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.probing.budget import (
    POD_TURN,
    UNKNOWN_AGENTS,
    BudgetOptions,
    Consumers,
    consumers_of,
    fair_share,
    fit_to_budget,
    questions,
    rounded,
    spare,
)
from kubesonar.core.probing.schedule import Plan, Schedule
from kubesonar.model import Check, Kind, Member, Network, Path, Roster

OPTIONS = BudgetOptions()


def check(
    path: Path, target: str = "t", kind: Kind = Kind.HTTP, period: float = 10.0, address: str = "10.0.0.1"
) -> Check:
    return Check(f"{kind}/{path}/{target}/{address}/{period}", kind, path, target, address, period=period)


API = (check(Path.API_DIRECT), check(Path.API_DNS, address="kubernetes.default.svc.cluster.local."))
PODS = tuple(
    check(Path.DNS_POD, f"coredns-{pod}", Kind.DNS, address=f"10.0.{transport}.{pod}")
    for pod in range(2)
    for transport in range(2)
)
SERVICE = tuple(
    msgspec.structs.replace(check(Path.DNS_SERVICE, "dns-service", Kind.DNS, address="10.96.0.1"), id=way, request=way)
    for way in ("a.b A udp", "a.b A tcp")
)


def periods(checks: tuple[Check, ...], agents: int, options: BudgetOptions = OPTIONS) -> list[float]:
    return [one.period for one in fit_to_budget(checks, Consumers(agents), options)]


def test_agents_ask_the_api_server_and_the_ingress_within_the_budget_and_at_least_each_minute() -> None:
    assert periods(API, 300) == [30.0, 30.0]
    assert periods(API, 3000) == periods(API, 10_000) == [60.0, 60.0]
    assert periods((check(Path.INGRESS),), 1000) == [50.0]
    assert periods((check(Path.INGRESS, address="shop.example.com"),), 10_000) == [60.0]
    assert periods((check(Path.INGRESS, period=90.0),), 10_000) == [90.0]
    assert periods(API, 3000, BudgetOptions(api_longest=86_400)) == [300.0, 300.0]


def test_what_3000_agents_ask_is_spread_evenly() -> None:
    """By their schedules, which know nothing of each other: 20 a second, and in no second twice that."""
    checks = fit_to_budget(API, Consumers(3000), BudgetOptions(api_longest=300))
    asked: Counter[int] = Counter()
    for number in range(3000):
        schedule = Schedule(f"kubesonar-{number:05x}")
        schedule.step(1000.0, Plan(tuple(checks)))
        while (due := schedule.due) is not None and due < 1600:
            asked[int(due)] += len(schedule.step(due))
    assert asked.total() / 600 == pytest.approx(20, rel=0.01)
    assert max(asked.values()) < 40


def test_a_small_cluster_keeps_the_periods_that_were_configured() -> None:
    assert fit_to_budget((*API, *PODS, *SERVICE), Consumers(10), OPTIONS) == [*API, *PODS, *SERVICE]
    assert periods(API, 100) == [10.0, 10.0]
    assert periods(API, 110) == [11.0, 11.0]


def test_each_of_service_ingress_and_external_target_has_a_budget_of_its_own() -> None:
    several = (check(Path.SERVICE), check(Path.EXTERNAL, "a"), check(Path.EXTERNAL, "b"), check(Path.INGRESS))
    assert periods(several, 3000) == [150.0] * 3 + [60.0]


def test_a_dns_pod_is_asked_20_questions_a_second_by_all_together() -> None:
    assert periods(PODS, 300) == [30.0] * 4  # udp and tcp: 600 questions in 30 s


def test_each_agent_asks_one_dns_pod_after_the_other_one_each_30_s_at_least() -> None:
    assert periods(PODS, 3000) == periods(PODS, 10_000) == [120.0] * 4


def test_what_comes_through_the_dns_service_counts_at_the_pods() -> None:
    paced = fit_to_budget((*PODS, *SERVICE), Consumers(300), BudgetOptions(dns_longest=86_400))
    assert {round(one.period, 6) for one in paced} == {45.0}  # each pod: its own 2, and half of the service's 2


@pytest.mark.parametrize(("agents", "rest"), [(10, 10.0), (200, 10 * (2 + 1 / 2) * 20 / 10), (3000, 150.0)])
def test_the_dns_service_is_asked_each_10_s_and_what_is_left_goes_to_the_pods(agents: int, rest: float) -> None:
    paced = {one.id: one.period for one in fit_to_budget((*PODS, *SERVICE), Consumers(agents), OPTIONS)}
    assert paced.pop("a.b A udp") == 10.0
    assert list(paced.values()) == pytest.approx([rest] * 5)


def test_without_knowing_the_pods_two_are_assumed() -> None:
    assert periods(SERVICE, 300) == [10.0, 30.0]  # 15 questions a second at each by UDP, 5 are left
    assert periods(SERVICE, 300, BudgetOptions(dns_pods=30)) == [10.0] * 2


def test_names_that_are_looked_up_leave_less_for_questions() -> None:
    paced = {one.id: one.period for one in fit_to_budget((*API, *PODS), Consumers(300), OPTIONS)}
    assert paced[API[1].id] == 30.0  # 20 questions a second, over two pods: half of the budget
    assert paced[PODS[0].id] == 60.0


def test_a_name_that_the_search_list_makes_many_of_slows_itself_only() -> None:
    ingress = check(Path.INGRESS, address="shop.example.com")
    options = BudgetOptions(ingress_longest=300)
    paced = {one.path: one.period for one in fit_to_budget((*API, ingress), Consumers(300, names=5), options)}
    assert paced[Path.API_DIRECT] == 30.0
    assert paced[Path.API_DNS] == 60.0
    assert paced[Path.INGRESS] == 300.0


def test_members_are_not_slowed_down() -> None:
    of_members = (check(Path.POD, kind=Kind.UDP, period=2.5), check(Path.LOOPBACK, kind=Kind.UDP))
    assert fit_to_budget(of_members, Consumers(50_000), OPTIONS) == list(of_members)


@pytest.mark.parametrize(
    ("address", "asked"),
    [("10.0.0.1", 0), ("fd00::1", 0), ("shop.example.com.", 2), ("shop.example.com", 8)],
)
def test_questions_of_a_look_up(address: str, asked: int) -> None:
    assert questions(check(Path.INGRESS, address=address), names=4) == asked


@pytest.mark.parametrize(
    ("url", "asked"),
    [("https://shop.example.com:8443/x", 2), ("https://10.0.0.1/", 0), ("https://[fd00::1]:443/", 0)],
)
def test_without_an_address_the_urls_host_is_looked_up(url: str, asked: int) -> None:
    assert questions(Check("x", Kind.HTTP, Path.INGRESS, "t", "", request=url), names=1) == asked


def test_every_agent_of_either_network_and_whatever_state_counts() -> None:
    members = tuple(
        Member(f"{number}-{network}", f"{number}", (f"10.0.{number}.1",), 7473, network)
        for number in range(70)
        for network in (Network.POD, Network.HOST)
    )
    assert consumers_of(Roster("1", members), OPTIONS).agents == 140
    assert consumers_of(Roster("1", members), BudgetOptions(agents=3000)).agents == 3000
    assert consumers_of(Roster("1", members, stale="the API server does not answer"), OPTIONS).agents == 140


def test_a_roster_never_read_is_taken_for_a_big_one_and_no_roster_for_one_agent() -> None:
    assert consumers_of(Roster("", (), stale="no answer"), OPTIONS).agents == UNKNOWN_AGENTS
    assert consumers_of(Roster("none", ()), OPTIONS).agents == 1


@pytest.mark.parametrize(("count", "up"), [(1, 1), (99, 99), (101, 110), (2950, 3000), (3001, 3100), (12_345, 13_000)])
def test_one_agent_more_or_less_changes_no_period(count: int, up: int) -> None:
    assert rounded(count) == up


@given(st.lists(st.floats(0.001, 1e6), max_size=8), st.floats(0.1, 1e4))
def test_a_fair_share_fills_the_capacity_and_no_more(loads: list[float], capacity: float) -> None:
    share = fair_share(loads, capacity)
    used = sum(min(load, share) for load in loads)
    assert used <= capacity * 1.000001
    if share != inf:
        assert used == pytest.approx(capacity)


_PATHS = st.sampled_from(
    [Path.API_DIRECT, Path.API_DNS, Path.SERVICE, Path.INGRESS, Path.EXTERNAL, Path.DNS_SERVICE, Path.DNS_POD]
)


@st.composite
def _checks(draw: st.DrawFn) -> tuple[Check, ...]:
    made = {}
    for path in draw(st.lists(_PATHS, max_size=12)):
        dns = path in (Path.DNS_POD, Path.DNS_SERVICE)
        address = "10.0.0.1" if dns else draw(st.sampled_from(["10.0.0.1", "a.b.c", "a.b.c."]))
        one = check(
            path, draw(st.sampled_from("abc")), Kind.DNS if dns else Kind.HTTP, draw(st.floats(0.1, 600)), address
        )
        made[one.id] = one
    return tuple(made.values())


@given(_checks(), st.integers(1, 50_000), st.integers(1, 8))
def test_where_nothing_has_a_longest_period_only_the_least_of_dns_pods_exceeds_a_budget(
    checks: tuple[Check, ...], agents: int, names: int
) -> None:
    options = BudgetOptions(api_longest=inf, ingress_longest=inf, dns_longest=inf)
    paced = fit_to_budget(checks, Consumers(agents, names), options)
    assert [one.id for one in paced] == [one.id for one in checks]
    assert all(after.period >= before.period for after, before in zip(paced, checks, strict=True))
    loads: dict[str, float] = defaultdict(float)
    pods = len({one.target for one in paced if one.path is Path.DNS_POD}) or OPTIONS.dns_pods
    for one in paced:
        rate = agents / one.period
        loads["lookups"] += rate * questions(one, names) / pods
        if one.path is Path.DNS_SERVICE:
            loads["dns service"] += rate / pods
        elif one.path in (Path.API_DIRECT, Path.API_DNS):
            loads["api"] += rate
        else:
            loads[f"{one.path} {one.target if one.path in (Path.DNS_POD, Path.EXTERNAL) else ''}"] += rate
    at_a_pod = loads.pop("lookups", 0.0) + loads.pop("dns service", 0.0)
    own = [load for key, load in loads.items() if key.startswith("dns_pod")]
    assert at_a_pod + max(own, default=0.0) <= (20 + 2 * agents / pods / POD_TURN) * 1.000001
    assert all(load <= 20 * 1.000001 for key, load in loads.items() if not key.startswith("dns_pod"))


@pytest.mark.parametrize("agents", [1, 10, 60, 90])
def test_what_all_agents_draw_besides_keeps_the_budgets(agents: int) -> None:
    """Checks that are made so much more often that nothing is left fit into the budgets as they are."""
    among = Consumers(agents, names=5)
    usual = fit_to_budget((*API, *PODS), among, OPTIONS)
    left = spare(usual, among, OPTIONS)
    faster = [
        msgspec.structs.replace(one, period=1 / (1 / one.period + left.rates["api"])) if one.id == API[0].id else one
        for one in usual
    ]
    assert "api" in left.rates
    assert spare(faster, among, OPTIONS).rates.get("api", 0.0) == pytest.approx(0.0, abs=1e-9)
    assert [one.period for one in fit_to_budget(faster, among, OPTIONS)] == pytest.approx(
        [one.period for one in faster]
    )


def test_what_is_left_to_each_agent_of_ten() -> None:
    left = spare((*API, *PODS, *SERVICE), Consumers(10), OPTIONS)
    assert left.rates == pytest.approx({"api": 2.0 - 0.2, "dns pods": 2.0 - 0.1 - 0.1 - 0.2})
    assert left.costs[API[1].id] == {"api": 1.0, "dns pods": 1.0}
    assert left.costs[PODS[0].id] == {"dns pods": 1.0}
    assert left.costs[SERVICE[0].id] == {"dns pods": 0.5}


def test_checks_of_members_draw_on_no_budget_and_a_full_budget_leaves_nothing() -> None:
    assert spare((check(Path.POD, kind=Kind.UDP),), Consumers(10), OPTIONS).costs == {}
    full = fit_to_budget(API, Consumers(3000), OPTIONS)
    assert "api" not in spare(full, Consumers(3000), OPTIONS).rates


@given(_checks(), st.integers(1, 50_000), st.integers(1, 8))
def test_no_period_is_shortened_and_none_is_longer_than_a_node_needs(
    checks: tuple[Check, ...], agents: int, names: int
) -> None:
    longest = {Path.API_DIRECT: 60.0, Path.API_DNS: 60.0, Path.INGRESS: 60.0, Path.DNS_SERVICE: 10.0}
    paced = fit_to_budget(checks, Consumers(agents, names), OPTIONS)
    for before, after in zip(checks, paced, strict=True):
        assert before.period <= after.period <= max(before.period, longest.get(before.path, inf))

"""Makes periods longer until all agents together keep to the budgets of what the cluster shares.

No agent asks another: each divides the budgets by the number of agents, which the roster tells. A period is never
shorter than configured, and some are never longer than what a node needs to see its own trouble: where agents are so
many that a budget does not pay for that, it is what they pay together at that pace. Every member of the roster counts,
in either network and in any state, because each is an agent with the same checks. Phases are spread by a hash of source
and check (core/probing/schedule.py), so the load of n agents is even over a period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import inf
from typing import Annotated

import msgspec

from kubesonar.core.address import is_literal, url_host
from kubesonar.model import Check, Kind, Path, Roster, Seconds

UNKNOWN_AGENTS = 1000
"""Agents that are assumed while a roster has never been read. Too low, and an outage of the roster's source makes all
agents ask as if each were alone; too high, and a small cluster is hardly checked until its roster is read."""

POD_TURN = 30.0
"""Seconds in which each agent asks at least one DNS pod, one after the other, whatever the budget. Shorter, and a few
DNS pods of a big cluster are asked more; longer, and a node's own trouble with one of them is seen later."""

QUESTIONS = 2
"""DNS questions of one look-up: A and AAAA."""


class BudgetOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The most that all agents together may cost the cluster. Periods grow with the number of agents to keep to it."""

    agents: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=100_000,
            description="Agents that share the budgets; those that the roster names, if these are more.",
        ),
    ] = 0
    api: Annotated[
        float, msgspec.Meta(ge=0.01, le=1_000_000, description="Connections a second to the API server, by all checks.")
    ] = 20.0
    service: Annotated[
        float, msgspec.Meta(ge=0.01, le=1_000_000, description="Requests a second through Services.")
    ] = 20.0
    ingress: Annotated[
        float, msgspec.Meta(ge=0.01, le=1_000_000, description="Requests a second through the ingress.")
    ] = 20.0
    external: Annotated[
        float, msgspec.Meta(ge=0.01, le=1_000_000, description="Requests a second to each external target.")
    ] = 20.0
    dns: Annotated[
        float,
        msgspec.Meta(
            ge=0.01, le=1_000_000, description="Questions a second to each DNS server, look-ups of names included."
        ),
    ] = 20.0
    dns_pods: Annotated[
        int,
        msgspec.Meta(ge=1, le=10_000, description="DNS pods behind the Service, as long as they cannot be counted."),
    ] = 2
    api_longest: Annotated[
        Seconds,
        msgspec.Meta(
            ge=1,
            le=86_400,
            description="Longest time between two checks of the API server by one agent, even if budget.api is "
            "exceeded.",
        ),
    ] = 60.0
    ingress_longest: Annotated[
        Seconds,
        msgspec.Meta(
            ge=1,
            le=86_400,
            description="Longest time between two checks of the ingress by one agent, even if budget.ingress is "
            "exceeded.",
        ),
    ] = 60.0
    dns_longest: Annotated[
        Seconds,
        msgspec.Meta(
            ge=1,
            le=86_400,
            description="Longest time between two questions of one agent by UDP to the DNS Service, even if budget.dns "
            "is exceeded.",
        ),
    ] = 10.0
    conntrack: Annotated[
        int,
        msgspec.Meta(
            ge=100,
            le=1_000_000,
            description="Most conntrack entries that this agent keeps on its node; fewer neighbours are probed where "
            "they would be more.",
        ),
    ] = 4000


class Consumers(msgspec.Struct, frozen=True):
    """The agents that draw on the budgets: so many (`agents`), whose look-up of a name without a final dot may try
    `names` names."""

    agents: int
    names: int = 1


class Spare(msgspec.Struct, frozen=True):
    """The rest that the budgets leave to one agent besides its usual checks: `rates` by budget (a second). `costs` says
    by the id of a check what it draws on each budget; checks of members draw on none, and are not in it."""

    rates: dict[str, float] = {}
    costs: dict[str, dict[str, float]] = {}


def consumers_of(roster: Roster, options: BudgetOptions, names: int = 1) -> Consumers:
    """Return the number of agents, rounded up to two digits so that one more or less changes no period."""
    known = len(roster.members) or (UNKNOWN_AGENTS if roster.stale else 1)
    return Consumers(rounded(max(known, options.agents)), names)


def rounded(count: int) -> int:
    """Return `count` rounded up to two significant digits: 3 -> 3, 99 -> 99, 101 -> 110, 2950 -> 3000."""
    unit = int(10 ** max(len(str(count)) - 2, 0))
    return -(-count // unit) * unit


def fit_to_budget(checks: Iterable[Check], among: Consumers, options: BudgetOptions) -> list[Check]:
    """Return the same checks, in the same order, with periods as long as the budgets need and no longer than allowed.
    Checks of members keep theirs, because the ring bounds them. DNS pods are asked in turn, a few at a time: their
    phases spread them over the period (core/probing/schedule.py)."""
    paced = _within(list(checks), among.agents, options)
    pods = _pods(paced, options)
    most = fair_share(_lookups(paced, among, pods), options.dns / 2)
    loads = _lookups(paced, among, pods)
    paced = [_slower(check, load / most, options) for check, load in zip(paced, loads, strict=True)]
    left = options.dns - sum(_lookups(paced, among, pods))
    for asked in (_is_of_service, _is_of_pods):
        rest = [check for check in paced if _is_of_pods(check) or asked(check)]
        factor = _dns_load(rest, among.agents, pods) / max(left, among.agents / pods / POD_TURN)
        paced = [_slower(check, factor, options) if asked(check) else check for check in paced]
        left -= _dns_load(filter(asked, paced), among.agents, pods)
    return paced


def spare(checks: Sequence[Check], among: Consumers, options: BudgetOptions) -> Spare:
    """Return what `checks`, whose periods fit the budgets, leave of an agent's equal share of each budget: were all
    agents to draw on it at the same time, the budgets would be kept."""
    pods = _pods(checks, options)
    costs = {check.id: cost for check in checks if (cost := _cost(check, among.names, pods))}
    limits = {name: rate for name, rate in (_request_budget(check, options) for check in checks) if name}
    left = {name: rate / among.agents for name, rate in limits.items()}
    for check in checks:
        for name in costs.get(check.id, {}).keys() & left.keys():
            left[name] -= 1 / check.period
    asked = sum(_lookups(checks, among, pods)) + _dns_load(checks, among.agents, pods)
    left[_OF_DNS_PODS] = (options.dns - asked) / among.agents
    return Spare({name: rate for name, rate in left.items() if rate > 0}, costs)


def fair_share(loads: Iterable[float], capacity: float) -> float:
    """Return the most that each load may be so that together they fit into `capacity`; infinite where all fit. What a
    small load does not need is shared by the others (max-min fairness, Bertsekas and Gallager, Data Networks, section
    6.5.2)."""
    rising = sorted(load for load in loads if load)
    for index, load in enumerate(rising):
        share = capacity / (len(rising) - index)
        if load > share:
            return share
        capacity -= load
    return inf


def questions(check: Check, names: int) -> int:
    """Return how many questions one check asks the cluster's DNS because it looks up a name; `names` as in
    `Consumers`."""
    host = check.address or url_host(check.request)
    if check.kind is Kind.DNS or check.path in _OF_MEMBERS or not host or is_literal(host):
        return 0
    return QUESTIONS * (1 if host.endswith(".") else names)


def _request_budget(check: Check, options: BudgetOptions) -> tuple[str, float]:
    """Return the name of the budget that a check draws on by asking, and its rate (a second)."""
    match check.path:
        case Path.API_DIRECT | Path.API_DNS:
            return "api", options.api
        case Path.SERVICE:
            return "service", options.service
        case Path.INGRESS:
            return "ingress", options.ingress
        case Path.EXTERNAL:
            return f"external {check.target}", options.external
        case Path.DNS_UPSTREAM | Path.DNS_EXPOSED:
            return f"dns {check.target}", options.dns
        case _:
            return "", inf


def _pods(checks: Iterable[Check], options: BudgetOptions) -> int:
    """Return how many DNS pods are asked, or are assumed where none is."""
    return len({check.target for check in checks if check.path is Path.DNS_POD}) or options.dns_pods


def _cost(check: Check, names: int, pods: int) -> dict[str, float]:
    """Return what one check draws on each budget: of DNS pods the questions that the one asked most gets."""
    name, _ = _request_budget(check, BudgetOptions())
    asked = questions(check, names) / pods
    if check.path in _SHARED_DNS:
        asked += 1.0 if check.path is Path.DNS_POD else 1 / pods
    return ({name: 1.0} if name else {}) | ({_OF_DNS_PODS: asked} if asked else {})


def _within(checks: Sequence[Check], agents: int, options: BudgetOptions) -> list[Check]:
    """Return checks slowed down to the budgets of requests; DNS through the Service and of its pods comes later."""
    drawn = [_request_budget(check, options) for check in checks]
    loads: dict[str, float] = defaultdict(float)
    for check, (name, _) in zip(checks, drawn, strict=True):
        loads[name] += agents / check.period
    return [_slower(check, loads[name] / rate, options) for check, (name, rate) in zip(checks, drawn, strict=True)]


def _lookups(checks: Iterable[Check], among: Consumers, pods: int) -> list[float]:
    """Return the questions a second that all agents ask each DNS pod because of each check."""
    return [among.agents / pods * questions(check, among.names) / check.period for check in checks]


def _is_of_service(check: Check) -> bool:
    """Whether the check asks the DNS Service as most workloads do, by UDP."""
    return check.path in (Path.DNS_SERVICE, Path.DNS_NODE_LOCAL) and not check.request.endswith(" tcp")


def _is_of_pods(check: Check) -> bool:
    """Whether it asks DNS pods in another way, which takes what the Service leaves."""
    return check.path in _SHARED_DNS and not _is_of_service(check)


def _dns_load(checks: Iterable[Check], agents: int, pods: int) -> float:
    """Return the questions a second to the DNS pod that is asked most: its own, and its share of the Service's."""
    own: dict[str, float] = defaultdict(float)
    shared = 0.0
    for check in checks:
        if check.path is Path.DNS_POD:
            own[check.target] += agents / check.period
        elif check.path in _SHARED_DNS:
            shared += agents / check.period
    return shared / pods + max(own.values(), default=0.0)


def _slower(check: Check, factor: float, options: BudgetOptions) -> Check:
    period = min(check.period * factor, max(_longest(check, options), check.period))
    return msgspec.structs.replace(check, period=period) if period > check.period else check


def _longest(check: Check, options: BudgetOptions) -> float:
    """Return the longest period of a check that its budget may cause (seconds)."""
    match check.path:
        case Path.API_DIRECT | Path.API_DNS:
            return options.api_longest
        case Path.INGRESS:
            return options.ingress_longest
        case _:
            return options.dns_longest if _is_of_service(check) else inf


_OF_DNS_PODS = "dns pods"
_OF_MEMBERS = frozenset({Path.POD, Path.HOST, Path.LOOPBACK})
_SHARED_DNS = frozenset({Path.DNS_POD, Path.DNS_SERVICE, Path.DNS_NODE_LOCAL})
"""Paths whose questions reach a DNS pod: its own, the Service's, and those that a cache on the node cannot answer."""

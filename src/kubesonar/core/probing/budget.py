"""Makes periods longer until all agents together keep to the budgets of what the cluster shares.

No agent asks another: each divides the budgets by the number of agents, which the roster tells. A period is never
shorter than configured. Every member of the roster counts, in either network and in any state, because each is an agent
with the same checks. Phases are spread by a hash of source and check (core/probing/schedule.py), so the load of n
agents is even over a period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import inf
from typing import Annotated

import msgspec

from kubesonar.core.address import is_literal
from kubesonar.model import Check, Kind, Path, Roster

UNKNOWN_AGENTS = 1000
"""Agents that are assumed while a roster has never been read. Too low, and an outage of the roster's source makes all
agents ask as if each were alone; too high, and a small cluster is hardly checked until its roster is read."""

QUESTIONS = 2
"""DNS questions of one look-up: A and AAAA."""


class BudgetOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all agents together may cost the cluster. Periods grow with the number of agents to keep to it."""

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
    """Who draws on the budgets: `agents` of them, whose look-up of a name without a final dot may try `names` names."""

    agents: int
    names: int = 1


def consumers_of(roster: Roster, options: BudgetOptions, names: int = 1) -> Consumers:
    """Return the number of agents, rounded up to two digits so that one more or less changes no period."""
    known = len(roster.members) or (UNKNOWN_AGENTS if roster.stale else 1)
    return Consumers(rounded(max(known, options.agents)), names)


def rounded(count: int) -> int:
    """Return `count` rounded up to two significant digits: 3 -> 3, 99 -> 99, 101 -> 110, 2950 -> 3000."""
    unit = int(10 ** max(len(str(count)) - 2, 0))
    return -(-count // unit) * unit


def fit_to_budget(checks: Iterable[Check], among: Consumers, options: BudgetOptions) -> list[Check]:
    """Return the same checks, in the same order, with periods as long as the budgets need. Checks of members keep
    theirs, because the ring bounds them."""
    paced = _within(list(checks), among.agents, options)
    pods = len({check.target for check in paced if check.path is Path.DNS_POD}) or options.dns_pods
    lookups = [among.agents / pods * questions(check, among.names) / check.period for check in paced]
    most = fair_share(lookups, options.dns / 2)
    paced = [_slower(check, load / most) for check, load in zip(paced, lookups, strict=True)]
    left = options.dns - sum(min(load, most) for load in lookups)
    factor = _dns_load(paced, among.agents, pods) / left
    return [_slower(check, factor) if check.path in _SHARED_DNS else check for check in paced]


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
    host = check.address or _host(check.request)
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


def _within(checks: Sequence[Check], agents: int, options: BudgetOptions) -> list[Check]:
    """Return checks slowed down to the budgets of requests; DNS through the Service and of its pods comes later."""
    drawn = [_request_budget(check, options) for check in checks]
    loads: dict[str, float] = defaultdict(float)
    for check, (name, _) in zip(checks, drawn, strict=True):
        loads[name] += agents / check.period
    return [_slower(check, loads[name] / rate) for check, (name, rate) in zip(checks, drawn, strict=True)]


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


def _slower(check: Check, factor: float) -> Check:
    return msgspec.structs.replace(check, period=check.period * factor) if factor > 1 else check


def _host(url: str) -> str:
    authority = url.partition("://")[2].partition("/")[0]
    if authority.startswith("["):
        return authority.partition("]")[0].removeprefix("[")
    return authority.partition(":")[0]


_OF_MEMBERS = frozenset({Path.POD, Path.HOST, Path.LOOPBACK})
_SHARED_DNS = frozenset({Path.DNS_POD, Path.DNS_SERVICE, Path.DNS_NODE_LOCAL})
"""Paths whose questions reach a DNS pod: its own, the Service's, and those that a cache on the node cannot answer."""

"""Models of what plain targets are asked and how they answer: summed up over all who ask, and one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import mean

import msgspec

from kubesonar.core.telemetry.ledger import window
from kubesonar.core.telemetry.reports.short_history import ShortHistory
from kubesonar.model import Check, Edge, Health, Kind, Member, Side, Snapshot, clip
from kubesonar.views.labels import duration, share
from kubesonar.views.matrix import natural
from kubesonar.views.page.links import Link, node_href, target_href
from kubesonar.views.page.moments import PageTimes
from kubesonar.views.page.plots import Plot, day_plots

_SHORT = 15.0
"""Seconds of checks that say how a target answers now. Fewer, and one seldom asked is not known; more, and what has
ended is still shown."""

_LONG = 120.0
"""The same where there are no checks in `_SHORT`."""

_FAILS = 0.5
"""Least share of failed checks of one who asks that counts as failing."""

_NAMED = 8
"""Most members that are named as those for whom a check fails."""

_DETAIL = 160
"""Most characters of a detail."""


class TargetCheck(msgspec.Struct, frozen=True):
    """One member's check of a plain target: `how` it is made, its `health` in the last seconds, the share that failed
    (empty: nothing is known), the round trip, and what was told last where it failed."""

    source: Link
    how: str
    request: str
    health: str
    failed: str
    rtt: str
    fault: str
    detail: str


class TargetSummary(msgspec.Struct, frozen=True):
    """One kind of check of a plain target by all who ask: `how` it is made, how many ask, for how many it fails and
    `who` they are, the mean round trip and the worst one."""

    target: Link
    how: str
    request: str
    health: str
    asking: int
    failing: int
    who: tuple[str, ...]
    rtt: str
    worst: str
    faults: str


class TargetsModel(msgspec.Struct, frozen=True):
    """All plain targets, those that fail first."""

    targets: tuple[TargetSummary, ...]


class TargetModel(msgspec.Struct, frozen=True):
    """One plain target: its checks summed up, and one by one, those that fail first; `plots` are of the last day."""

    name: str
    summaries: tuple[TargetSummary, ...]
    checks: tuple[TargetCheck, ...]
    plots: tuple[Plot, ...]


class _Asked(msgspec.Struct, frozen=True):
    source: str
    edge: Edge
    failed: float | None
    rtt: float | None

    @property
    def health(self) -> Health:
        if self.failed is None:
            return Health.UNKNOWN
        return Health.BAD if self.failed >= _FAILS else Health.GOOD


def targets_model(snapshots: Iterable[Snapshot], members: Mapping[str, Member], *, dns: bool = False) -> TargetsModel:
    """Return all plain targets; only questions to DNS servers where `dns`."""
    found = [one for one in _asked(snapshots, members) if not dns or one.edge.latest.check.kind is Kind.DNS]
    return TargetsModel(tuple(_summaries(found)))


def target_model(
    name: str,
    snapshots: Iterable[Snapshot],
    members: Mapping[str, Member],
    history: ShortHistory,
    now: float,
    times: PageTimes,
) -> TargetModel | None:
    """Return the plain target of that name, None where nobody asks it."""
    found = [one for one in _asked(snapshots, members) if one.edge.latest.check.target == name]
    if not found:
        return None
    found.sort(key=lambda one: (-(one.failed or 0.0), natural(one.source)))
    return TargetModel(
        name,
        tuple(_summaries(found)),
        tuple(_check(one, members) for one in found),
        day_plots(name, history, now, times),
    )


def checks_of(snapshot: Snapshot, members: Mapping[str, Member]) -> tuple[TargetCheck, ...]:
    """Return the checks that one member makes of plain targets, those that fail first."""
    found = sorted(
        _asked([snapshot], members), key=lambda one: (-(one.failed or 0.0), natural(one.edge.latest.check.target))
    )
    return tuple(_check(one, members, of_source=False) for one in found)


def _asked(snapshots: Iterable[Snapshot], members: Mapping[str, Member]) -> Iterator[_Asked]:
    for snapshot in snapshots:
        for edge in snapshot.edges:
            latest = edge.latest
            if latest.side is Side.SOURCE and latest.check.target not in members:
                trials = list(edge.trials)
                sums = window(trials, snapshot.at, _SHORT)
                if not sums.observations:
                    sums = window(trials, snapshot.at, _LONG)
                told = sums.observations - sums.unknown
                yield _Asked(snapshot.member.name, edge, sums.failed / told if told else None, sums.rtt_mean or None)


def _summaries(found: Iterable[_Asked]) -> list[TargetSummary]:
    groups: dict[tuple[str, str, str], list[_Asked]] = {}
    for one in found:
        check = one.edge.latest.check
        groups.setdefault((check.target, _how(check), _request(check)), []).append(one)
    summaries = [_summary(*key, group) for key, group in groups.items()]
    return sorted(summaries, key=lambda one: (one.failing == 0, natural(one.target.text), one.how, one.request))


def _summary(target: str, how: str, request: str, group: list[_Asked]) -> TargetSummary:
    failing = sorted({one.source for one in group if one.health is Health.BAD}, key=natural)
    known = [one for one in group if one.failed is not None]
    trips = [one.rtt for one in group if one.rtt is not None]
    faults = {one.edge.latest.fault for one in group if one.health is Health.BAD}
    return TargetSummary(
        target=Link(target, target_href(target)),
        how=how,
        request=request,
        health=(Health.BAD if failing else Health.GOOD if known else Health.UNKNOWN).value,
        asking=len({one.source for one in group}),
        failing=len(failing),
        who=(*failing[:_NAMED], *([f"{len(failing) - _NAMED} more"] if len(failing) > _NAMED else [])),
        rtt=duration(mean(trips)) if trips else "",
        worst=duration(max(trips)) if trips else "",
        faults=", ".join(sorted(fault.value for fault in faults if fault is not None)),
    )


def _check(one: _Asked, members: Mapping[str, Member], *, of_source: bool = True) -> TargetCheck:
    latest = one.edge.latest
    place = Link(latest.check.target, target_href(latest.check.target))
    if of_source:
        place = Link(one.source, node_href(members[one.source]) if one.source in members else "")
    return TargetCheck(
        source=place,
        how=_how(latest.check),
        request=_request(latest.check),
        health=one.health.value,
        failed="" if one.failed is None else share(one.failed),
        rtt="" if one.rtt is None else duration(one.rtt),
        fault="" if latest.fault is None else latest.fault.value,
        detail=clip(latest.detail, _DETAIL) if latest.fault is not None else "",
    )


def _how(check: Check) -> str:
    """Return kind and path of a check in words; only one of them where they say the same."""
    kind, path = check.kind.value, check.path.value.replace("_", " ")
    return path if path.startswith(kind) else f"{kind} {path}"


def _request(check: Check) -> str:
    """Return what is asked, or where: an address and port where nothing is asked by words."""
    return check.request or (f"{check.address} port {check.port}" if check.port else check.address)

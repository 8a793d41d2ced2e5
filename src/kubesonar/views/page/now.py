"""The first view: is the network healthy now, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.model import Member, Network, Verdict
from kubesonar.views.matrix import Matrix, natural
from kubesonar.views.page.incidents import IncidentLine, incident_line
from kubesonar.views.page.links import Link, node_href
from kubesonar.views.page.map import MapModel, map_model
from kubesonar.views.page.moments import PageTimes
from kubesonar.views.page.timeline import DayLane, day_lane

_RECENT = 5
"""Most closed incidents shown. More, and what is wrong now is further up than people look."""

_MOST = 50
"""Most lines of one list; of the rest only the number is said. More, and a page of a large cluster takes megabytes."""


class ReasonLine(msgspec.Struct, frozen=True):
    """Members of one node that are excused, or could not be read, for one `reason`."""

    place: Link
    members: tuple[str, ...]
    reason: str


class NetworkCount(msgspec.Struct, frozen=True):
    """The number of members of a network."""

    network: str
    members: int
    zones: int


class NowModel(msgspec.Struct, frozen=True):
    """The view of what is wrong now: the `open` incidents, the latest `closed` ones, who is excused or unread and why
    (and how many more), what cannot be told, and the incidents of the last `day`. `small_map` is the map of a small
    mesh, without networks in a larger one. `durable` says why incidents are not kept durably, empty where they are."""

    open: tuple[IncidentLine, ...]
    more_open: int
    closed: tuple[IncidentLine, ...]
    excused: tuple[ReasonLine, ...]
    more_excused: int
    unread: tuple[ReasonLine, ...]
    more_unread: int
    unknown: tuple[str, ...]
    networks: tuple[NetworkCount, ...]
    day: DayLane
    small_map: MapModel
    durable: str


def now_model(
    verdict: Verdict,
    records: Iterable[IncidentRecord],
    members: Mapping[str, Member],
    excused: Mapping[str, str],
    unread: Mapping[str, str],
    durable: str,
    matrices: Iterable[Matrix],
    now: float,
    times: PageTimes,
) -> NowModel:
    """Return what is wrong now; `records` are the latest first, `excused` and `unread` map members to the reason.
    `matrices` are those to be shown small."""
    known = list(records)
    opened = [record for record in known if record.closed is None]
    closed = [record for record in known if record.closed is not None]
    excuses = _reasons(excused, members)
    silent = _reasons({name: why for name, why in unread.items() if name not in excused}, members)
    return NowModel(
        open=tuple(incident_line(record, now, times) for record in _worst_first(verdict, opened)[:_MOST]),
        more_open=max(0, len(opened) - _MOST),
        closed=tuple(
            incident_line(record, now, times)
            for record in sorted(closed, key=lambda record: record.closed or 0.0, reverse=True)[:_RECENT]
        ),
        excused=excuses[:_MOST],
        more_excused=max(0, len(excuses) - _MOST),
        unread=silent[:_MOST],
        more_unread=max(0, len(silent) - _MOST),
        unknown=verdict.unknown[:_MOST],
        networks=tuple(_counts(members.values())),
        day=day_lane(known, now, times),
        small_map=map_model(matrices),
        durable=durable,
    )


def _worst_first(verdict: Verdict, records: list[IncidentRecord]) -> list[IncidentRecord]:
    """Return the records in the order of the verdict's findings, whose first one gives the sentence."""
    order = {(one.part, one.subject): rank for rank, one in enumerate(verdict.findings)}
    return sorted(records, key=lambda record: order.get((record.finding.part, record.finding.subject), len(order)))


def _reasons(reasons: Mapping[str, str], members: Mapping[str, Member]) -> tuple[ReasonLine, ...]:
    """Return a line for each node and reason. What a reason repeats of the member's name is left out."""
    found: dict[tuple[Link, str], list[str]] = {}
    for name in sorted(reasons, key=natural):
        member = members.get(name)
        place = Link(name, "") if member is None else Link(member.node or name, node_href(member))
        found.setdefault((place, reasons[name].removeprefix(f"{name} ")), []).append(name)
    return tuple(ReasonLine(place, tuple(names), why) for (place, why), names in found.items())


def _counts(members: Iterable[Member]) -> Iterable[NetworkCount]:
    known = list(members)
    for network in (Network.POD, Network.HOST):
        inside = [member for member in known if member.network is network]
        if inside:
            yield NetworkCount(network.value, len(inside), len({member.zone for member in inside}))

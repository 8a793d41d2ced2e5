"""Nodes: all of them as a list, and one with its members, its paths and what its members check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.telemetry.reports.short_history import ShortHistory
from kubesonar.model import Member, NodeFacts, Saturation, Snapshot, Trouble, clip
from kubesonar.views.cells import PathCell
from kubesonar.views.labels import lasting
from kubesonar.views.matrix import Matrix, natural
from kubesonar.views.page.cells import look, path_words
from kubesonar.views.page.checks import TargetCheck, checks_of
from kubesonar.views.page.incidents import IncidentLine, incident_line
from kubesonar.views.page.links import Link, node_href
from kubesonar.views.page.moments import PageTimes
from kubesonar.views.page.plots import Plot, day_plots

_PATHS = 200
"""Most paths of one node that are listed, those that are not well first."""

_INCIDENTS = 10
"""Most incidents of one node that are listed, the latest first."""

_LINES = 10
"""Most lines of one list of a member's troubles."""


class NodeLine(msgspec.Struct, frozen=True):
    """A node in a list: the states of its members, when the one that reported last did so, and how many of its paths
    are not well."""

    link: Link
    zone: str
    networks: str
    state: str
    reported: str
    sick: int
    note: str


class NodesModel(msgspec.Struct, frozen=True):
    """All nodes, those with sick paths first."""

    nodes: tuple[NodeLine, ...]


class FactLine(msgspec.Struct, frozen=True):
    """Something that seldom changes at a member."""

    label: str
    text: str


class MemberCard(msgspec.Struct, frozen=True):
    """One member of a node: who it is, what is expected of it, whether it reports, and what it says of itself."""

    name: str
    network: str
    addresses: tuple[str, ...]
    port: int
    state: str
    reason: str
    reported: str
    unread: str
    remarks: tuple[str, ...]
    facts: tuple[FactLine, ...]
    checks: tuple[TargetCheck, ...]


class PeerLine(msgspec.Struct, frozen=True):
    """The paths between this node and another member, both ways."""

    peer: Link
    network: str
    out: str
    out_look: str
    back: str
    back_look: str


class NodeModel(msgspec.Struct, frozen=True):
    """One node. `more_paths` are not listed; `plots` are of the last day."""

    name: str
    zone: str
    members: tuple[MemberCard, ...]
    incidents: tuple[IncidentLine, ...]
    paths: tuple[PeerLine, ...]
    more_paths: int
    plots: tuple[Plot, ...]


class MemberReport(msgspec.Struct, frozen=True):
    """A member, how many seconds ago it reported (None: never), why its reports do not count (empty: they do), and its
    snapshot, where there is one."""

    member: Member
    reported: float | None
    unread: str
    snapshot: Snapshot | None = None


def nodes_model(reports: Iterable[MemberReport], matrices: Iterable[Matrix], excused: Mapping[str, str]) -> NodesModel:
    """Return all nodes; `excused` maps members to the reason."""
    sick: dict[str, int] = {}
    for cell in (cell for matrix in matrices for cell in matrix.cells if cell.sick):
        for name in (cell.source, cell.target):
            sick[name] = sick.get(name, 0) + 1
    places: dict[str, list[MemberReport]] = {}
    for report in reports:
        places.setdefault(report.member.node or report.member.name, []).append(report)
    lines = [_line(place, group, sick, excused) for place, group in places.items()]
    return NodesModel(tuple(sorted(lines, key=lambda line: (not line.sick, not line.note, natural(line.link.text)))))


def node_model(
    name: str,
    reports: Iterable[MemberReport],
    matrices: Sequence[Matrix],
    records: Iterable[IncidentRecord],
    members: Mapping[str, Member],
    history: ShortHistory,
    now: float,
    times: PageTimes,
) -> NodeModel | None:
    """Return the node of that name, or the member whose node is not known; None where there is none. `members` are all
    by name, `records` the latest first."""
    own = [report for report in reports if name in (report.member.node, report.member.name)]
    if not own:
        return None
    names = {report.member.name for report in own}
    paths = list(_peers(names, matrices, members))
    words = names | {name}
    about = (record for record in records if words & set(record.finding.subject.replace(">", " ").split(" ")))
    return NodeModel(
        name=name,
        zone=own[0].member.zone,
        members=tuple(_card(report, members, now, times) for report in own),
        incidents=tuple(incident_line(record, now, times) for record, _ in zip(about, range(_INCIDENTS), strict=False)),
        paths=tuple(paths[:_PATHS]),
        more_paths=max(0, len(paths) - _PATHS),
        plots=day_plots(name, history, now, times),
    )


def _line(place: str, group: Sequence[MemberReport], sick: Mapping[str, int], excused: Mapping[str, str]) -> NodeLine:
    ages = [report.reported for report in group if report.reported is not None]
    names = [report.member.name for report in group]
    reasons = [excused[name].removeprefix(f"{name} ") for name in names if name in excused]
    silent = [f"{report.member.network.value}: {report.unread}" for report in group if report.unread]
    return NodeLine(
        link=Link(place, node_href(group[0].member)),
        zone=group[0].member.zone,
        networks=", ".join(sorted({report.member.network.value for report in group})),
        state=", ".join(sorted({report.member.state.value.replace("_", " ") for report in group})),
        reported=f"{lasting(max(ages))} ago" if ages else "never",
        sick=sum(sick.get(name, 0) for name in names),
        note=clip("; ".join(dict.fromkeys([*reasons, *silent]))),
    )


def _card(report: MemberReport, members: Mapping[str, Member], now: float, times: PageTimes) -> MemberCard:
    member, snapshot = report.member, report.snapshot
    return MemberCard(
        name=member.name,
        network=member.network.value,
        addresses=member.addresses,
        port=member.port,
        state=member.state.value.replace("_", " "),
        reason=member.reason,
        reported="never" if report.reported is None else f"{lasting(report.reported)} ago",
        unread=report.unread,
        remarks=() if snapshot is None else tuple(_remarks(snapshot, now, times)),
        facts=() if snapshot is None or snapshot.facts is None else tuple(_facts(snapshot.facts, now, times)),
        checks=() if snapshot is None else checks_of(snapshot, members),
    )


def _facts(facts: NodeFacts, now: float, times: PageTimes) -> Iterable[FactLine]:
    if facts.kernel:
        yield FactLine("Kernel", facts.kernel)
    if facts.booted:
        yield FactLine("Booted", times.moment(facts.booted, now).text)
    for one in facts.interfaces[:_LINES]:
        mtu = f"MTU {one.mtu}" if one.mtu else "MTU not known"
        yield FactLine(f"Interface {one.name}", f"{mtu}, {', '.join(one.addresses) or 'no address'}")
    if facts.nameservers:
        search = f", search {' '.join(facts.search)}" if facts.search else ""
        yield FactLine("Resolver", f"{', '.join(facts.nameservers)}, ndots {facts.ndots}{search}")
    for name, addresses in facts.looked_up.items():
        yield FactLine(f"{name} is", ", ".join(addresses) or "not known to the resolver")
    if facts.throttled:
        yield FactLine("Throttled", f"in {facts.throttled:.0%} of the CPU's periods")


def _remarks(snapshot: Snapshot, now: float, times: PageTimes) -> Iterable[str]:
    yield from (_trouble(trouble, now, times) for trouble in snapshot.latest_troubles[-_LINES:])
    yield from snapshot.lacks[:_LINES]
    if snapshot.saturation is not None:
        yield from _saturated(snapshot.saturation)


def _trouble(trouble: Trouble, now: float, times: PageTimes) -> str:
    until = "" if trouble.until is None else f" until {times.moment(trouble.until, now).text}"
    return f"{trouble.cause}, since {times.moment(trouble.since, now).text}{until}"


def _saturated(saturation: Saturation) -> Iterable[str]:
    if saturation.conntrack_entries is not None and saturation.conntrack_limit:
        used = saturation.conntrack_entries / saturation.conntrack_limit
        yield f"conntrack table {used:.0%} full ({saturation.conntrack_entries} of {saturation.conntrack_limit})"
    for number, words in (
        (saturation.conntrack_drops, "packets dropped because the conntrack table was full"),
        (saturation.udp_receive_drops, "datagrams found a full receive buffer"),
        (saturation.softnet_drops, "packets found a full backlog of a CPU"),
    ):
        if number:
            yield f"{number} {words} in {saturation.span:.0f} s"


def _peers(names: set[str], matrices: Iterable[Matrix], members: Mapping[str, Member]) -> Iterable[PeerLine]:
    """Yield the paths to and from other members, those that are not well first."""
    found: dict[tuple[str, str], _Ways] = {}
    for matrix in matrices:
        for cell in (cell for cell in matrix.cells if cell.target in members):
            if cell.source in names:
                found.setdefault((cell.source, cell.target), _Ways(matrix.network.value)).out = cell
            if cell.target in names:
                found.setdefault((cell.target, cell.source), _Ways(matrix.network.value)).back = cell
    for (_, peer), ways in sorted(found.items(), key=lambda item: (not item[1].sick, natural(item[0][1]))):
        out, back = ways.out, ways.back
        yield PeerLine(
            peer=Link(members[peer].node or peer, node_href(members[peer])),
            network=ways.network,
            out="not probed" if out is None else path_words(out),
            out_look="" if out is None else look(out),
            back="not probed" if back is None else path_words(back),
            back_look="" if back is None else look(back),
        )


class _Ways(msgspec.Struct):
    """The paths between one member here and one elsewhere, both ways (None: not probed)."""

    network: str
    out: PathCell | None = None
    back: PathCell | None = None

    @property
    def sick(self) -> bool:
        return any(cell is not None and cell.sick for cell in (self.out, self.back))

"""Makes a round of what the API server says of the DNS pods and of what came back from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import inf

import msgspec

from kubesonar.core.dns_check.questions import AskedServer, ServerRole
from kubesonar.core.dns_check.results import DnsOutcome, DnsResult
from kubesonar.core.dns_check.states import TransportCondition, TransportState, states_of
from kubesonar.core.remedy.dns_round import DnsRound, DnsStandpoint, PodReplies, PodReply
from kubesonar.doctor.repair.facts import DnsFacts
from kubesonar.model import Edge, Fault, Kind, Observation, Path, Phase, Side

MESH_FRESH = 30.0
"""Seconds for which what an agent of the mesh found counts. Less, and agents that ask a DNS pod seldom, as in big
clusters, say nothing; more, and they speak of a pod that has changed since."""

_REPLIES = {
    TransportCondition.NOT_ASKED: PodReply.UNKNOWN,
    TransportCondition.WELL: PodReply.ANSWERED,
    TransportCondition.SILENT: PodReply.SILENT,
    TransportCondition.STRAY: PodReply.UNKNOWN,  # a translation of addresses on the way is what fails
    TransportCondition.WRONG: PodReply.WRONG,
    TransportCondition.PARTLY: PodReply.ANSWERED,
}


class MeshEdge(msgspec.Struct, frozen=True):
    """The finding of a member of the mesh that runs on `node` about a DNS pod, by the pod's name, or about a member in
    the pod network of the node `beyond`."""

    source: str
    node: str
    edge: Edge
    beyond: str = ""


def servers_of(facts: DnsFacts) -> list[AskedServer]:
    """Return the pods that can be asked: those that have an address, also where they are not Ready."""
    return [
        AskedServer(pod.name, ServerRole.POD, facts.addresses[pod.uid], node=pod.node)
        for pod in facts.pods or ()
        if facts.addresses.get(pod.uid)
    ]


def round_of(
    facts: DnsFacts, here: DnsStandpoint, results: Iterable[DnsResult], mesh: Sequence[MeshEdge] = (), now: float = 0.0
) -> DnsRound:
    """Return the round in which `here` got these results, and the mesh found these edges until `now` (Unix seconds)."""
    uids = {pod.name: pod.uid for pod in facts.pods or ()}
    own = _own_replies(here, results, uids)
    fresh = [
        one
        for one in mesh
        if now - one.edge.latest.at <= MESH_FRESH and one.edge.latest.check.target in uids and _asks_pod(one.edge)
    ]
    by_pod: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    for one in fresh:
        by_pod[one.source, uids[one.edge.latest.check.target]].append(one.edge)
    nodes = {pod.uid: pod.node for pod in facts.pods or ()}
    ways = _ways(mesh)
    replies = [
        _mesh_replies(source, uid, edges, ways.get((source, nodes[uid]), ())) for (source, uid), edges in by_pod.items()
    ]
    well = {one.standpoint for one in replies if one.node_reached}
    points = {
        one.source: DnsStandpoint(name=one.source, node=one.node, well=one.source in well or None) for one in fresh
    }
    return DnsRound(
        pods=facts.pods,
        standpoints=(here, *points.values()),
        replies=(*own, *replies),
        planned=facts.planned,
    )


def _own_replies(here: DnsStandpoint, results: Iterable[DnsResult], uids: Mapping[str, str]) -> list[PodReplies]:
    found = list(results)
    reached = {one.server.name for one in found if one.reached}
    return [
        PodReplies(
            standpoint=here.name,
            pod=uids[state.server.name],
            udp=_reply(state.udp),
            tcp=_reply(state.tcp),
            reached=state.server.name in reached,
        )
        for state in states_of(found)
        if state.server.name in uids
    ]


def _reply(state: TransportState) -> PodReply:
    if state.condition is TransportCondition.SILENT and state.fault == DnsOutcome.CLOSED:
        return PodReply.REFUSED
    return _REPLIES[state.condition]


def _asks_pod(edge: Edge) -> bool:
    """Return whether it is a usual question to a pod: that large answers are lost is no fault of the server."""
    check = edge.latest.check
    return check.kind is Kind.DNS and check.path is Path.DNS_POD and not check.is_large


def _ways(mesh: Iterable[MeshEdge]) -> dict[tuple[str, str], list[Observation]]:
    """Return the latest trains by UDP into pod networks of other nodes, by the member that sent them and the node."""
    ways: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for one in mesh:
        latest = one.edge.latest
        if one.beyond not in ("", one.node) and latest.check.kind is Kind.UDP and latest.side is Side.SOURCE:
            ways[one.source, one.beyond].append(latest)
    return ways


def _mesh_replies(source: str, uid: str, edges: Sequence[Edge], ways: Iterable[Observation]) -> PodReplies:
    """Return what one member found about one pod: each edge is of one transport."""
    by = {True: PodReply.UNKNOWN, False: PodReply.UNKNOWN}
    reached = False
    for edge in edges:
        latest = edge.latest
        tcp = latest.check.request.endswith(_BY_TCP)
        by[tcp] = PodReply.ANSWERED if latest.fault is None else _MESH.get(latest.fault, PodReply.UNKNOWN)
        reached |= any(span.phase is Phase.CONNECT for span in latest.phases)
    return PodReplies(
        standpoint=source,
        pod=uid,
        udp=by[False],
        tcp=by[True],
        reached=reached,
        node_reached=_is_passing(edges, ways),
    )


def _is_passing(edges: Iterable[Edge], ways: Iterable[Observation]) -> bool | None:
    """Return whether any of the ways passes that were tried in the family of the questions to the pod by UDP, since
    these began to fail; None where none was. An agent that is not there refuses, so its way passes."""
    by_udp = [edge for edge in edges if not edge.latest.check.request.endswith(_BY_TCP)]
    since = {edge.latest.family: min(edge.bad_since or inf, edge.latest.at) for edge in by_udp}
    tried = {way.fault for way in ways if way.at >= since.get(way.family, inf)}
    return True if tried & _PASSING else False if tried & _LOST else None


_BY_TCP = " tcp"
_PASSING = frozenset({None, Fault.REFUSED})
_LOST = frozenset({Fault.TIMEOUT, Fault.UNREACHABLE})
_MESH = {
    Fault.TIMEOUT: PodReply.SILENT,
    Fault.UNREACHABLE: PodReply.SILENT,
    Fault.RESET: PodReply.SILENT,
    Fault.REFUSED: PodReply.REFUSED,
    Fault.WRONG_ANSWER: PodReply.WRONG,
}

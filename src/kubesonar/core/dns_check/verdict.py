"""The verdict of one look: which part of DNS is sick, as far as one standpoint can tell.

A pod is accused only by questions of the cluster's own names, which it answers from memory; a virtual address only
where the pods behind it are well; an upstream only where outside names fail and the cluster's own do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kubesonar.core.dns_check.questions import AskedServer, ServerRole
from kubesonar.core.dns_check.remarks import remarks
from kubesonar.core.dns_check.results import DnsFinding, DnsLook, DnsOutcome, DnsVerdict
from kubesonar.core.dns_check.states import ServerState, TransportCondition, in_words, states_of
from kubesonar.model import Health, Severity, clip

_LINES = 40
"""Most findings, and most sentences of what could not be told, in one verdict."""

_SINGLE = frozenset({ServerRole.POD, ServerRole.SERVER})
"""Roles of servers behind which there is one process."""

_FORWARDED = 4
"""Number of the standpoint from which each pod is asked at its own localhost (docs/dns.md)."""

_SENTENCE = 400
"""Longest sentence, in characters."""


def judge_look(look: DnsLook) -> DnsVerdict:
    """Return the verdict of one look."""
    states = states_of(look.results)
    unclear: list[str] = []
    hidden = [state for state in states if look.vantage == _FORWARDED and _is_unreachable(state)]
    if hidden:
        names = in_words(_names(hidden))
        unclear.append(f"nothing listens at the localhost of {names}: dead, or listening at the pod's address only")
    findings = [*_placed([one for one in states if one not in hidden], look.inside, unclear), *remarks(look, states)]
    unknown = [*unclear, *look.unknown, *look.untested]
    seen = [state for state in states if state.known]
    severe = [finding for finding in findings if finding.severity is not Severity.INFO]
    by_udp = any(state.udp.condition is not TransportCondition.NOT_ASKED for state in seen)
    health = Health.BAD if severe else Health.GOOD if by_udp and not unclear else Health.UNKNOWN
    return DnsVerdict(
        health,
        clip(_sentence(health, seen, severe, unknown), _SENTENCE),
        tuple(findings[:_LINES]),
        tuple(clip(line, _SENTENCE) for line in dict.fromkeys(unknown))[:_LINES],
    )


def _sentence(health: Health, seen: Sequence[ServerState], severe: Sequence[DnsFinding], unknown: Sequence[str]) -> str:
    if severe:
        more = len(severe) - 1
        return severe[0].sentence + (f" (and {more} more)" if more else "")
    if health is Health.GOOD:
        return (
            f"DNS is healthy: {in_words([state.server.name for state in seen])} answered every question that was asked"
        )
    if seen and not unknown:
        return "cannot tell: no server was asked by UDP, which is what workloads use"
    return f"cannot tell: {unknown[0] if unknown else 'no server was asked'}"


def _placed(states: Sequence[ServerState], inside: bool, unclear: list[str]) -> Iterator[DnsFinding]:
    """Yield the findings about servers; what one standpoint cannot place goes to `unclear`."""
    pods = [state for state in states if state.server.role in _SINGLE and state.known]
    fronts = [state for state in states if state.server.fronts and state.known]
    caches = [state for state in states if state.server.role is ServerRole.CACHE and state.known]
    answering = [state for state in states if state.answers]
    if not answering and (pods or fronts):
        yield _nothing_answers(pods, fronts)
        return
    yield from _pods(pods, fronts, unclear)
    for front in fronts:
        if not inside and not front.answers and front.server.role is ServerRole.SERVICE and any(p.well for p in pods):
            unclear.append(f"{_called(front.server)} is not reached from here, as is usual outside the cluster")
        else:
            yield from _front(front, fronts, pods, caches, unclear)
    for cache in caches:
        yield from _cache(cache, pods, fronts)


def _nothing_answers(pods: Sequence[ServerState], fronts: Sequence[ServerState]) -> DnsFinding:
    closed = [state for state in pods if state.closed]
    names = in_words([state.server.name for state in (*fronts, *pods)])
    if pods and len(closed) == len(pods):
        them = "pod" if any(pod.server.role is ServerRole.POD for pod in pods) else "server"
        return DnsFinding("pod", "all", "dead", f"every DNS {them} refuses questions: nothing listens on {names}")
    return DnsFinding(
        "way",
        "here",
        "dead",
        f"no DNS server answers from here: {names}; all of them are dead, or the way from here is",
    )


def _pods(pods: Sequence[ServerState], fronts: Sequence[ServerState], unclear: list[str]) -> Iterator[DnsFinding]:
    silent = [pod for pod in pods if not pod.answers]
    if silent and len(silent) == len(pods) and any(front.answers for front in fronts):
        unclear.append(
            f"no DNS pod answers at its own address, the Service does: theirs ({in_words(_names(pods))}) are not "
            "reached from here, so no pod is told apart"
        )
        return
    for by, other, deaf in (("UDP", "TCP", False), ("TCP", "UDP", True)):
        if len(pods) > 1 and all(pod.silent_by(deaf) and pod.well_by(not deaf) for pod in (*pods, *fronts)):
            yield DnsFinding(
                "way",
                "here",
                f"{other.lower()}_only",
                f"no DNS server answers by {by} from here, by {other} all do: {by} is blocked on the way from here, or "
                "all of them are deaf",
            )
            return
    for pod in pods:
        name, part = _called(pod.server), pod.server.role.value
        if not pod.answers and pod.closed:
            yield DnsFinding(part, pod.server.name, "dead", f"{name} refuses questions: nothing listens there")
        elif not pod.answers:
            unclear.append(f"{name} is dead, or the way from here to its node is: ask from another node")
            yield DnsFinding(part, pod.server.name, "unreached", f"{name} does not answer from here, by UDP or TCP")
        else:
            yield from _by_transport(pod, part, name)


def _by_transport(state: ServerState, part: str, name: str) -> Iterator[DnsFinding]:
    """Yield what is wrong with a server that answers something."""
    udp, tcp = state.udp, state.tcp
    subject = state.server.name
    if udp.condition is TransportCondition.SILENT and tcp.condition is TransportCondition.WELL:
        why = f": {udp.detail}" if udp.detail else ""
        yield DnsFinding(part, subject, "tcp_only", f"{name} does not answer by UDP, by TCP it does{why}")
    elif tcp.condition is TransportCondition.SILENT and udp.condition is TransportCondition.WELL:
        yield DnsFinding(part, subject, "udp_only", f"{name} does not answer by TCP, by UDP it does", Severity.WARNING)
    for by, found in (("UDP", udp), ("TCP", tcp)):
        if found.condition is TransportCondition.STRAY:
            yield DnsFinding(part, subject, "wrong_address", f"answers of {name} by {by} come from {found.detail}")
        elif found.condition is TransportCondition.WRONG:
            yield DnsFinding(part, subject, found.fault, f"{name} answers wrongly by {by}: {found.detail}")
            return
        elif found.condition is TransportCondition.PARTLY:
            yield DnsFinding(
                part, subject, "partly", f"{name} answers some questions by {by} and not others: {found.detail}"
            )
            return


def _front(
    front: ServerState,
    fronts: Sequence[ServerState],
    pods: Sequence[ServerState],
    caches: Sequence[ServerState],
    unclear: list[str],
) -> Iterator[DnsFinding]:
    name, part = _called(front.server), front.server.role.value
    if front.well:
        return
    sick = [pod for pod in pods if not pod.well]
    if pods and len(sick) == len(pods):
        unclear.append(f"whether {name} is well itself cannot be told while no pod behind it is")
        return
    if sick:  # its questions go to a pod that is sick, by chance all of them: the pod is told
        if not front.answers:
            unclear.append(f"{name} does not answer; whether it would, were all pods behind it well, cannot be told")
        return
    if front.answers:
        yield from _by_transport(front, part, name)
    elif not pods:
        well = [other for other in fronts if other.answers]
        if well:
            yield DnsFinding(
                part,
                front.server.name,
                "dead",
                f"{name} does not answer, {in_words(_names(well))} does: the way to it"
                " from here, or its service proxy, is dead",
            )
    elif front.server.role is ServerRole.EXPOSED:
        yield DnsFinding(part, front.server.name, "dead", f"{name} does not answer though the DNS pods do")
    else:
        well_pods = [pod for pod in pods if pod.well]
        yield DnsFinding(
            part,
            front.server.name,
            "dead",
            f"{name} does not answer from here though {in_words(_names(well_pods))} behind it "
            f"{'do' if len(well_pods) > 1 else 'does'}: the service proxy of this node is at fault, or the Service",
        )
        cached = ", the DNS cache, where that owns the address," if caches else ""
        unclear.append(
            f"from one standpoint the service proxy of this node{cached} and the Service itself are not told apart: "
            "ask from another node"
        )


def _cache(cache: ServerState, pods: Sequence[ServerState], fronts: Sequence[ServerState]) -> Iterator[DnsFinding]:
    others = [state for state in (*pods, *fronts) if state.well]
    if cache.well or not others:
        return
    name = _called(cache.server)
    if cache.answers:
        yield from _by_transport(cache, "cache", name)
    else:
        yield DnsFinding(
            "cache",
            cache.server.name,
            "dead",
            f"{name} does not answer though {in_words(_names(others))} {'do' if len(others) > 1 else 'does'}",
        )


def _called(server: AskedServer) -> str:
    words = {
        ServerRole.POD: "the DNS pod",
        ServerRole.SERVICE: "the DNS Service",
        ServerRole.EXPOSED: "the exposed address",
        ServerRole.CACHE: "the DNS cache",
    }
    node = f" on {server.node}" if server.node else ""
    return f"{words.get(server.role, 'the DNS server')} {server.name}{node}"


def _is_unreachable(state: ServerState) -> bool:
    return state.silent_by(True) and state.tcp.fault == DnsOutcome.UNREACHABLE.value


def _names(states: Iterable[ServerState]) -> list[str]:
    return [state.server.name for state in states]

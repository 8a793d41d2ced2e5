"""A command by which a person confirms a finding from a shell with kubectl."""

from __future__ import annotations

from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Check, Finding, Kind, Network, clip

_PINGED_POD = ("pod_network", "pod_network_in", "pod_network_out", "pod_network_family")
_CONNTRACK = "cat /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max"
_KERNEL = {
    "conntrack_full": _CONNTRACK,
    "new_flows": _CONNTRACK,
    "backlog_full": "cat /proc/net/softnet_stat",
}
_ON_NODE = "kubectl debug node/{node} -it --image=nicolaka/netshoot -- "


def confirmation(finding: Finding, who: Population) -> str:
    """The command; empty where none would tell more than the probes did."""
    subject, _, which = finding.subject.partition(" ")
    start, _, end = subject.partition(">")
    if finding.part.startswith("agent_"):
        member = who.members.get(subject)
        node = member.node if member else subject
        return f"kubectl get pods -A -o wide --field-selector spec.nodeName={node}"
    if finding.part in _KERNEL:
        return clip(_on(subject, _KERNEL[finding.part]))
    if end:
        return clip(_on(_source(start, who), _probe(end, which, finding, who)))
    other = next((member.node for member in who.members.values() if member.node != subject), "")
    return clip(_on(other, _probe(subject, which, finding, who)))


def _on(node: str, command: str) -> str:
    return _ON_NODE.format(node=node) + command if node and command else ""


def _source(start: str, who: Population) -> str:
    """The node to start from: itself, or one of that zone."""
    nodes = {member.node: member.zone for member in who.members.values()}
    return start if start in nodes else next((node for node, zone in nodes.items() if zone == start), "")


def _probe(target: str, which: str, finding: Finding, who: Population) -> str:
    """Return the command to run towards a node, one in a zone, or a plain target."""
    pod = finding.part in _PINGED_POD
    wanted = Network.POD if pod else Network.HOST
    ends = [member for member in who.members.values() if target in (member.node, member.zone) and member.addresses]
    ends.sort(key=lambda member: member.network is not wanted)
    if not ends:
        return _ask(_check_of(target, finding.part == "dns_large", who))
    address = next((a for a in ends[0].addresses if (":" in a) == (which == "ipv6")), ends[0].addresses[0])
    if which.startswith("tcp/"):
        return f"nc -zvw 2 {address} {which.removeprefix('tcp/')}"
    if finding.part.endswith("_mtu"):
        return f"ping -M do -c 5 -s 1472 {address}"
    if finding.part == "pair_udp":  # a closed port answers by ICMP
        return f"nping --udp -p 9 -c 20 {address}"
    return f"ping -c 100 -i 0.2 {address}"


def _check_of(target: str, large: bool, who: Population) -> Check | None:
    checks = (edge.latest.check for snapshot in who.read.values() for edge in snapshot.edges)
    return next((check for check in checks if check.target == target and check.is_large is large), None)


def _ask(check: Check | None) -> str:
    if check is None:
        return ""
    if check.kind is Kind.DNS:
        name, *rest = check.request.split()
        how = " +bufsize=4096 +ignore" if check.is_large else " +tcp" if rest[-1:] == ["tcp"] else ""
        return f"dig +tries=1 +time=2{how} @{check.address} -p {check.port or 53} {name} {(rest or ['A'])[0]}"
    return f"curl -skv --max-time 3 -o /dev/null {check.request}" if check.kind is Kind.HTTP else ""

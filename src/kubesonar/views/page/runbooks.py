"""The page of runbooks that belongs to a sick part."""

from __future__ import annotations

from kubesonar.views.page.links import Link

RUNBOOK_PLACE = "https://kubesonar.io/docs/runbooks/"
"""The place where the runbooks are read, as in the alerts' annotations (deploy/monitoring/rules.yaml)."""

RUNBOOKS = {
    "KubesonarNodeUnreachable": ("node", "node_in", "node_out", "pod_network", "pod_network_in", "pod_network_out"),
    "KubesonarMeshFailing": ("zone", "zone_pair", "network"),
    "KubesonarPairLossy": ("pair", "pair_family", "pair_udp", "pair_port"),
    "KubesonarNodeLossy": (
        "node_family",
        "pod_network_family",
        "conntrack_full",
        "new_flows",
        "backlog_full",
        "link_rate",
    ),
    "KubesonarBigPacketsLost": ("collector_mtu", "node_mtu", "pod_network_mtu", "pair_mtu"),
    "KubesonarAgentSilent": ("agent_gone", "agent_frozen", "agent_displaced"),
    "KubesonarAgentStarved": ("observer",),
    "KubesonarDNSServerFailing": ("dns_server", "dns_udp", "dns_tcp"),
    "KubesonarDNSFailing": ("dns_service", "dns_upstream", "dns_large"),
    "KubesonarPathFailingOnNode": ("dns_node", "dns_cache", "service_proxy"),
    "KubesonarAPIServerFailing": ("api_server",),
    "KubesonarIngressFailing": ("ingress",),
    "KubesonarServiceFailing": ("service", "zone_target"),
    "KubesonarExternalFailing": ("external",),
    "KubesonarSlow": ("node_slow", "zone_pair_slow", "pair_slow", "target_slow", "dns_slow"),
}
"""Names of runbooks, which are those of alerts, and the parts (`core/diagnosis/parts`) that each is about."""

_BY_PART = {part: name for name, parts in RUNBOOKS.items() for part in parts}


def runbook_link(part: str) -> Link | None:
    """Return a link to the runbook of a part, None for a part of a newer version."""
    name = _BY_PART.get(part)
    return None if name is None else Link(name, f"{RUNBOOK_PLACE}{name}.md")

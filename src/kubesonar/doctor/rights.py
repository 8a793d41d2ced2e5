"""The rights that each standpoint needs: as rules of RBAC, as one line for whoever misses one, and as manifests.

Exec and port-forward over WebSocket begin with GET: RBAC asks for `get` before Kubernetes 1.35 and for `create` from
1.35 on, so both are granted, which is right from 1.28 to 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

HELPER = "kubesonar-dns-helper"
"""Name of the helper pod: fixed, so that exec can be granted for it alone (resourceNames)."""

DOCTOR_LEASE = "kubesonar-dns-doctor"
"""Name of the Lease, in the namespace of the DNS Service, that lets only one doctor of a cluster restart pods. It is
the same for all of them, however they were started."""

STREAM_VERBS = ("get", "create")
"""Verbs for exec and port-forward, of which a server asks for one."""


class Rule(msgspec.Struct, frozen=True):
    """One rule of a Role in `namespace` (empty: of a ClusterRole). `group` is the API group, `names` narrow it to
    single objects, `why` says what it is for."""

    namespace: str
    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    why: str = ""

    @property
    def line(self) -> str:
        """The rule on one line: what to add where."""
        where = f"a Role in namespace {self.namespace}" if self.namespace else "a ClusterRole"
        names = f", resourceNames: [{', '.join(self.names)}]" if self.names else ""
        return (
            f'{where} with {{apiGroups: ["{self.group}"], resources: [{self.resource}]{names}, '
            f"verbs: [{', '.join(self.verbs)}]}}"
        )


class DnsPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The places of DNS and of the doctor: the namespace of the DNS Service, and the doctor's own."""

    dns: str = "kube-system"
    own: str = "kubesonar"


def services_rule(place: DnsPlace) -> Rule:
    """Return the rule for the DNS Service, headless Services and Services that expose the DNS pods."""
    return Rule(place.dns, "", "services", ("list",), why="finds the DNS Service, and Services that expose its pods")


def slices_rule(place: DnsPlace) -> Rule:
    """Return the rule for the pods behind the Service."""
    return Rule(place.dns, "discovery.k8s.io", "endpointslices", ("list",), why="finds the pods behind the DNS Service")


def corefile_rule(place: DnsPlace) -> Rule:
    """Return the rule for CoreDNS's configuration."""
    return Rule(
        place.dns, "", "configmaps", ("get",), ("coredns",), "tells the cluster domain and the upstream servers"
    )


def cache_rule(place: DnsPlace) -> Rule:
    """Return the rule for the pods of NodeLocal DNSCache."""
    return Rule(place.dns, "", "pods", ("list",), why="finds NodeLocal DNSCache and its addresses")


def api_rule() -> Rule:
    """Return the rule for the Service of the API server."""
    return Rule("default", "", "services", ("get",), ("kubernetes",), "tells which answer is right")


def nodes_rule() -> Rule:
    """Return the rule for the addresses of nodes."""
    return Rule("", "", "nodes", ("list",), why="finds the addresses at which a NodePort is open")


def helper_rules(place: DnsPlace) -> tuple[Rule, ...]:
    """Return the rules for the helper pod. Kubernetes cannot narrow `create` to a name."""
    one = (HELPER,)
    return (
        Rule(place.own, "", "pods", ("create",), why="makes the helper pod, in the doctor's own namespace only"),
        Rule(place.own, "", "pods", ("get", "delete"), one, "waits for it, removes it"),
        Rule(place.own, "", "pods/exec", STREAM_VERBS, one, "get before Kubernetes 1.35, create from 1.35 on"),
    )


def image_rule(place: DnsPlace) -> Rule:
    """Return the rule for finding kubesonar's own image among the pods of its namespace."""
    return Rule(place.own, "", "pods", ("list",), why="finds the image of kubesonar; not needed with --image")


def forward_rules(place: DnsPlace) -> tuple[Rule, ...]:
    """Return the rules for port-forward to the DNS pods."""
    return (
        Rule(place.dns, "", "pods/portforward", STREAM_VERBS, why="get before Kubernetes 1.35, create from 1.35 on"),
    )


def repair_rules(place: DnsPlace) -> tuple[Rule, ...]:
    """Return the rules for restarting DNS pods. Kubernetes cannot narrow `create` to a name."""
    lease = (DOCTOR_LEASE,)
    return (
        *watch_pods_rules(place),
        Rule(place.dns, "", "pods/eviction", ("create",), why="restarts a sick DNS pod"),
        Rule(place.dns, "coordination.k8s.io", "leases", ("create",), why="lets only one doctor act"),
        Rule(place.dns, "coordination.k8s.io", "leases", ("get", "patch"), lease, "and remembers what it did"),
        Rule(place.dns, "events.k8s.io", "events", ("create",), why="says at the pod what was done about it"),
    )


def watch_pods_rules(place: DnsPlace) -> tuple[Rule, ...]:
    """Return the rules for what decides on a restart, which a suggestion needs too."""
    return (
        Rule(place.dns, "", "pods", ("list",), why="tells which DNS pods there are, and since when they are ready"),
        Rule(place.dns, "apps", "deployments", ("list",), why="tells whether DNS is rolled out"),
        daemon_sets_rule(),
        Rule("", "", "nodes", ("get",), why="tells whether a pod's node is ready or cordoned"),
    )


def daemon_sets_rule() -> Rule:
    """Return the rule for rollouts of the CNI and the service proxy, wherever they live."""
    return Rule("", "apps", "daemonsets", ("list",), why="tells whether the CNI or the service proxy is rolled out")


def rules_of(vantage: int, place: DnsPlace) -> tuple[Rule, ...]:
    """Return all rules that the standpoint with this number can use."""
    always = (services_rule(place), slices_rule(place), corefile_rule(place), api_rule())
    match vantage:
        case 1:
            return (*always, cache_rule(place))
        case 2:
            return (*always, nodes_rule())
        case 3:
            return (*always, cache_rule(place), *helper_rules(place), image_rule(place))
        case _:
            return (*always, *forward_rules(place))


def manifests(rules: Iterable[Rule], name: str, account: str, namespace: str) -> str:
    """Return Roles, ClusterRoles and their bindings to a service account as YAML. The names are those of Kubernetes
    objects and need no quotes."""
    of: dict[str, list[Rule]] = {}
    for rule in rules:
        of.setdefault(rule.namespace, []).append(rule)
    documents = [
        f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {account}, namespace: {namespace}}}\n",
        *(text for place, found in of.items() for text in _role(place, found, name, account, namespace)),
    ]
    return "---\n".join(documents)


def _role(place: str, rules: list[Rule], name: str, account: str, namespace: str) -> Iterator[str]:
    kind = "Role" if place else "ClusterRole"
    where = f", namespace: {place}" if place else ""
    api = "apiVersion: rbac.authorization.k8s.io/v1\n"
    yield f"{api}kind: {kind}\nmetadata: {{name: {name}{where}}}\nrules:\n" + "".join(map(_rule, rules))
    yield (
        f"{api}kind: {kind}Binding\nmetadata: {{name: {name}{where}}}\n"
        f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}\n"
        f"subjects:\n- {{kind: ServiceAccount, name: {account}, namespace: {namespace}}}\n"
    )


def _rule(rule: Rule) -> str:
    names = f"  resourceNames: [{', '.join(rule.names)}]\n" if rule.names else ""
    return (
        f'- apiGroups: ["{rule.group}"]  # {rule.why}\n  resources: [{rule.resource}]\n{names}'
        f"  verbs: [{', '.join(rule.verbs)}]\n"
    )

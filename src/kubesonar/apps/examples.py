"""Two examples for each command, which its --help shows."""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """A command line and what it is for."""

    line: str
    why: str


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "agent": (
        Example("kubesonar agent --member.name node-1-pod --roster.file members.yaml", "members from a file"),
        Example("kubesonar agent --config agent.yaml --metrics.edges bad", "a file, and a flag that goes before it"),
    ),
    "collector": (
        Example("kubesonar collector --config collector.yaml", "as in a cluster"),
        Example("kubesonar collector --store.kind sqlite --store.directory /var/lib/kubesonar", "incidents on a disk"),
    ),
    "lab": (
        Example("kubesonar lab --once --fault 'podnet node-4'", "break a pod network, print one verdict, leave"),
        Example("kubesonar lab fault 'loss node-1>node-2 10'", "break the lab that runs, from another terminal"),
    ),
    "check": (
        Example("kubesonar check http://10.0.1.2:7473", "one agent is enough: the others are found by its roster"),
        Example("kubesonar check --collector http://127.0.0.1:7475 --fail-on critical", "in a script"),
    ),
    "explain": (
        Example("kubesonar explain all", "every finding of the lab that runs here"),
        Example("kubesonar explain node-3 --collector http://127.0.0.1:7475", "those on one node"),
    ),
    "history": (
        Example("kubesonar history --since 12h", "of the lab that runs here"),
        Example("kubesonar history --collector https://collector:7475 --ca-file ca.crt --json", "for a program"),
    ),
    "map": (
        Example("kubesonar map", "live, of the lab that runs here"),
        Example("kubesonar map --once --network pod http://10.0.1.2:7473", "one network, once"),
    ),
    "support": (
        Example("kubesonar support http://10.0.1.2:7473 --out report.tar.gz", "of a mesh"),
        Example("kubesonar support --collector http://127.0.0.1:7475", "of a collector"),
    ),
    "simulate": (
        Example("kubesonar simulate split --seed 7", "the cluster splits in two"),
        Example("kubesonar simulate kill --members 1000", "in a large one"),
    ),
    "config": (
        Example("kubesonar config show --config agent.yaml", "each value that is not a default, with its source"),
        Example("kubesonar config show --metrics.edges none", "what a flag changes"),
    ),
    "keys": (
        Example("kubesonar keys make --append keys", "the first key of a file, or one more"),
        Example("kubesonar keys make --secret kubesonar-keys --namespace kubesonar", "in a cluster"),
    ),
    "dns": (
        Example("kubesonar dns check", "one look from the best standpoint that can be taken"),
        Example("kubesonar dns rbac --vantage 3", "the rights that a standpoint needs"),
    ),
    "kubenurse": (
        Example("KUBENURSE_NAMESPACE=monitoring kubesonar kubenurse", "neighbours in one namespace"),
        Example("KUBENURSE_CHECK_INTERVAL=30s kubesonar kubenurse", "checks half as often"),
    ),
    "knh": (
        Example("POD_IP=10.0.1.2 MY_NODE_NAME=node-1 SERVICE_NAME=knh NAMESPACE=kube-system kubesonar knh", "a pod"),
        Example("kubesonar agent --rooms '[\"knh\"]'", "beside an agent"),
    ),
    "netchecker-server": (
        Example("kubesonar netchecker-server -endpoint 0.0.0.0:8081", "reports in custom resources"),
        Example("kubesonar netchecker-server -etcd-endpoints http://127.0.0.1:2379", "reports in etcd"),
    ),
    "netchecker-agent": (
        Example("kubesonar netchecker-agent -serverendpoint netchecker-service:8081", "report to a server"),
        Example("kubesonar netchecker-agent -probeurls https://example.org", "and probe a URL"),
    ),
    "kubectl": (
        Example("kubectl sonar check", "is the network healthy? exit code 0 good, 1 bad, 2 unknown"),
        Example("kubectl sonar map --context staging", "who reaches whom, until Ctrl-C"),
    ),
    "completion": (
        Example("source <(kubesonar completion bash)", "in ~/.bashrc; zsh alike"),
        Example("kubesonar completion fish > ~/.config/fish/completions/kubesonar.fish", "in fish"),
    ),
    "version": (
        Example("kubesonar version", "for a bug report"),
        Example("kubectl sonar support", "everything else that one needs"),
    ),
    "kubectl check": (
        Example("kubectl sonar check -o wide", "and why each finding is held to be true"),
        Example("kubectl sonar check -n kubesonar --fail-on critical", "in a script"),
    ),
    "kubectl map": (
        Example("kubectl sonar map", "live"),
        Example("kubectl sonar map --once --network host -o yaml", "for a program"),
    ),
    "kubectl history": (
        Example("kubectl sonar history --since 12h", "what was wrong this night"),
        Example("kubectl sonar history -o json", "for a program"),
    ),
    "kubectl explain": (
        Example("kubectl sonar explain all", "every finding"),
        Example("kubectl sonar explain node-3 --context staging", "those on one node"),
    ),
    "kubectl support": (
        Example("kubectl sonar support --out report.tar.gz", "what a bug report needs"),
        Example("kubectl sonar support -n kubesonar --timeout 30", "where the API server is slow"),
    ),
    "kubectl try": (
        Example("kubectl sonar try --dry-run", "what would be created"),
        Example("kubectl sonar try --for 60 -n default", "one minute"),
    ),
    "kubectl page": (
        Example("kubectl sonar page", "open it in the browser"),
        Example("kubectl sonar page --no-open --port 8080", "print its address"),
    ),
    "kubectl dns": (
        Example("kubectl sonar dns check", "which part of the cluster's DNS is sick"),
        Example("kubectl sonar dns check --context staging -o json", "for a program"),
    ),
}
"""Examples by the command's name; those of `kubectl sonar` by "kubectl NAME"."""


def example_lines(name: str) -> str:
    """Return the end of a command's --help, empty for a command without examples."""
    rows = EXAMPLES.get(name, ())
    lines = [f"  {row.line}\n      {row.why}" for row in rows]
    return "\n".join(["", "Examples:", *lines, ""]) if lines else ""

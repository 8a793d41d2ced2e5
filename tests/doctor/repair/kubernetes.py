"""DNS pods and workloads for the API double."""

from __future__ import annotations

from typing import Any

from tests.kube import shapes

DNS = {"k8s-app": "kube-dns"}


def dns_pod(number: int, **more: Any) -> dict[str, Any]:
    """A DNS pod on the node of its number, at the address of its number."""
    since = more.pop("since", "2026-11-21T07:00:00Z")
    given = {"node": f"node-{number}", "ips": (f"127.0.0.1{number}",), **more}
    tree = shapes.pod(f"coredns-{number}", namespace="kube-system", labels=DNS, **given)
    for row in tree["status"]["conditions"]:
        row["lastTransitionTime"] = since
    tree["metadata"]["ownerReferences"][0]["kind"] = "ReplicaSet"
    return tree


def workload(name: str, *, namespace: str = "kube-system", **more: Any) -> dict[str, Any]:
    """A Deployment of two, or a DaemonSet on two nodes, that is not rolled out; `more` changes its spec or status."""
    spec = {"replicas": 2, "template": {"spec": {"hostNetwork": True}}}
    status = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2}
    status |= {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}
    for key, value in more.items():
        (status if key in status or key == "conditions" else spec)[key] = value
    return {
        "metadata": {"name": name, "namespace": namespace, "generation": 3},
        "spec": spec,
        "status": status,
    }

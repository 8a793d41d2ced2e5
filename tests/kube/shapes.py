"""Objects in the size and shape in which clusters have them."""

from __future__ import annotations

from typing import Any

from kubesonar.kube.object_meta import ObjectPart

Tree = dict[str, Any]


class Version(ObjectPart, frozen=True):
    """What /version says."""

    git_version: str = ""


AGENT = {"app.kubernetes.io/name": "kubesonar", "kubesonar.io/port": "7473"}
"""Labels of an agent's pod."""


def pod(
    name: str,
    *,
    node: str = "node-1",
    ips: tuple[str, ...] = ("10.0.1.2",),
    namespace: str = "default",
    labels: dict[str, str] | None = None,
    ready: bool = True,
    phase: str = "Running",
    host_network: bool = False,
    bulk: int = 0,
) -> Tree:
    """A pod of about 2.5 kB, and `bulk` bytes more of what nobody here reads."""
    mount = {"name": "kube-api-access-x7b2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    container = {
        "name": "agent",
        "image": "registry.example/kubesonar:1",
        "args": ["agent"],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}}],
        "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "48Mi"}},
        "volumeMounts": [mount],
        "terminationMessagePath": "/dev/termination-log",
        "imagePullPolicy": "IfNotPresent",
    }
    metadata = {
        "name": name,
        "generateName": "kubesonar-",
        "namespace": namespace,
        "labels": {**AGENT, **(labels or {})},
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kubesonar", "uid": "d5", "controller": True}
        ],
        "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {"x": "y" * bulk}}}],
    }
    spec = {
        "volumes": [{"name": mount["name"], "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
        "containers": [container],
        "restartPolicy": "Always",
        "nodeName": node,
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
    }
    if host_network:
        spec["hostNetwork"] = True
    return {"metadata": metadata, "spec": spec, "status": _pod_status(ips, ready, phase)}


def _pod_status(ips: tuple[str, ...], ready: bool, phase: str) -> Tree:
    word = "True" if ready else "False"
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    status = {
        "phase": phase,
        "conditions": [
            {"type": kind, "status": word, "lastProbeTime": None, "lastTransitionTime": "2026-11-21T07:00:00Z"}
            for kind in kinds
        ],
        "hostIP": "192.0.2.1",
        "hostIPs": [{"ip": "192.0.2.1"}],
        "startTime": "2026-11-21T07:00:00Z",
        "containerStatuses": [
            {
                "name": "agent",
                "ready": ready,
                "restartCount": 0,
                "started": ready,
                "image": "x" * 40,
                "imageID": "y" * 90,
            }
        ],
        "qosClass": "Burstable",
    }
    return status | ({"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]} if ips else {})


def node(
    name: str,
    *,
    zone: str = "zone-a",
    ready: str = "True",
    cordoned: bool = False,
    ips: tuple[str, ...] = ("192.0.2.1",),
    bulk: int = 0,
) -> Tree:
    """A node of about 1.5 kB, and `bulk` bytes of images."""
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, "kubernetes.io/os": "linux"}
    spec: Tree = {"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24"]}
    if cordoned:
        spec["unschedulable"] = True
        spec["taints"] = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    conditions = [
        {"type": kind, "status": "False", "reason": f"KubeletHasNo{kind}", "message": "kubelet is well"}
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
    ]
    conditions.append({"type": "Ready", "status": ready, "reason": "KubeletReady", "message": "kubelet is ready"})
    addresses = [{"type": "InternalIP", "address": ip} for ip in ips] + [{"type": "Hostname", "address": name}]
    images = [{"names": [f"registry.example/{'i' * 60}"], "sizeBytes": 1 << 24} for _ in range(bulk // 120)]
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {"node.alpha.kubernetes.io/ttl": "0"}},
        "spec": spec,
        "status": {"conditions": conditions, "addresses": addresses, "images": images, "capacity": {"cpu": "8"}},
    }


def lease(name: str, holder: str, namespace: str = "default", seconds: int = 15) -> Tree:
    """A lease somebody holds."""
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": "2026-11-21T07:00:00.000000Z"}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {**spec, "leaseTransitions": 0}}


def endpoint_slice(name: str, service: str, *pods: tuple[str, str, str], namespace: str = "default") -> Tree:
    """A slice of a service with (pod, node, address) each."""
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv6" if any(":" in address for _, _, address in pods) else "IPv4",
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": node_name,
                "zone": "zone-a",
                "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod_name, "uid": "u"},
            }
            for pod_name, node_name, address in pods
        ],
        "ports": [{"name": "probe", "port": 7473, "protocol": "UDP"}],
    }

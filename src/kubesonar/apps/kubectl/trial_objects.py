"""The objects of `kubectl sonar try`: a mesh of agents that Kubernetes itself deletes when nobody else does.

The Job is the anchor: it ends at once, Kubernetes deletes it `TRIAL_LIFETIME` seconds later, and with it everything
else, which it owns. DaemonSets know no end of their own.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from kubesonar import __version__
from kubesonar.apps.keys.rotation import add_key
from kubesonar.core.encoding import encode_json

Tree = dict[str, Any]

TRIAL_LIFETIME = 900
"""Seconds after which Kubernetes deletes a trial whose command went away. Lower: a long trial loses its mesh; higher:
what was left stays longer."""

ANCHOR_DEADLINE = 300
"""Seconds that the Job may take to run, where its image cannot be pulled; its lifetime counts from then on."""

TRIAL_LABEL = "kubesonar.io/trial"
"""Label of everything that a trial makes; its value is the trial's name."""

TRIAL_IMAGE = f"kubesonar/kubesonar:{__version__}"
TRIAL_PORT = 7473
_CONFIG, _KEYS = "/etc/kubesonar/config", "/etc/kubesonar/keys"
_NO_MESH_LABELS = {
    "sidecar.istio.io/inject": "false",
    "istio.io/dataplane-mode": "none",
    "kuma.io/sidecar-injection": "disabled",
}
_NO_MESH_ANNOTATIONS = {
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
}
"""Annotations by which no service mesh puts a proxy between an agent and the network that it measures, as in the
chart."""


class TrialPlan(msgspec.Struct, frozen=True):
    """A trial: its name, its namespace, and the image of its agents."""

    name: str
    namespace: str
    image: str


class TrialObject(msgspec.Struct, frozen=True):
    """An object to create: the path of its collection, and itself."""

    path: str
    tree: Tree

    @property
    def own_path(self) -> str:
        """The path of the object."""
        return f"{self.path}/{self.tree['metadata']['name']}"


def anchor(plan: TrialPlan) -> TrialObject:
    """Return the Job that owns all others."""
    spec = {
        "backoffLimit": 2,
        "activeDeadlineSeconds": ANCHOR_DEADLINE,
        "ttlSecondsAfterFinished": TRIAL_LIFETIME,
        "template": {
            "metadata": {"labels": _labels(plan) | _NO_MESH_LABELS, "annotations": _NO_MESH_ANNOTATIONS},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": _pod_security(),
                "containers": [_container(plan, "anchor", ["version"])],
            },
        },
    }
    return TrialObject(f"/apis/batch/v1/namespaces/{plan.namespace}/jobs", _object(plan, "batch/v1", "Job", spec=spec))


def owned(plan: TrialPlan, owner: str) -> list[TrialObject]:
    """Return the others, in the order in which they are made; `owner` is the Job's uid."""
    core = f"/api/v1/namespaces/{plan.namespace}"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{plan.namespace}"
    account = {"kind": "ServiceAccount", "name": plan.name, "namespace": plan.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": plan.name}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    keys = {"keys": base64.b64encode(add_key(b"")[0]).decode()}
    made = [
        (f"{core}/serviceaccounts", _object(plan, "v1", "ServiceAccount", automountServiceAccountToken=False)),
        (f"{rbac}/roles", _object(plan, "rbac.authorization.k8s.io/v1", "Role", rules=rules)),
        (
            f"{rbac}/rolebindings",
            _object(plan, "rbac.authorization.k8s.io/v1", "RoleBinding", roleRef=role, subjects=[account]),
        ),
        (f"{core}/secrets", _object(plan, "v1", "Secret", type="Opaque", data=keys)),
        (f"{core}/configmaps", _object(plan, "v1", "ConfigMap", data={"agent.yaml": _config(plan).decode()})),
        (f"{core}/services", _object(plan, "v1", "Service", spec=_members_service(plan))),
        (
            f"/apis/apps/v1/namespaces/{plan.namespace}/daemonsets",
            _object(plan, "apps/v1", "DaemonSet", spec=_daemon_set(plan)),
        ),
    ]
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": plan.name, "uid": owner}
    for _, tree in made:
        tree["metadata"]["ownerReferences"] = [reference]
    return [TrialObject(path, tree) for path, tree in made]


def _labels(plan: TrialPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "kubesonar-try", "app.kubernetes.io/instance": plan.name, TRIAL_LABEL: plan.name}


def _object(plan: TrialPlan, version: str, kind: str, **more: Any) -> Tree:
    meta = {"name": plan.name, "namespace": plan.namespace, "labels": _labels(plan)}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **more}


def _config(plan: TrialPlan) -> bytes:
    return encode_json(
        {
            "member": {"network": "pod", "port": TRIAL_PORT},
            "roster": {
                "source": "kubernetes",
                "kubernetes": {"selector": f"{TRIAL_LABEL}={plan.name},kubesonar.io/port"},
                "dns": {"name": f"{plan.name}.{plan.namespace}.svc"},
            },
            "keys": {"file": f"{_KEYS}/keys"},
            "log": {"format": "json"},
        }
    )


def _members_service(plan: TrialPlan) -> Tree:
    return {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "ipFamilyPolicy": "PreferDualStack",
        "selector": {TRIAL_LABEL: plan.name, "kubesonar.io/network": "pod"},
        "ports": [{"name": "agent", "port": TRIAL_PORT, "protocol": "TCP"}],
    }


def _daemon_set(plan: TrialPlan) -> Tree:
    selector = {TRIAL_LABEL: plan.name, "kubesonar.io/network": "pod"}
    labels = {**_labels(plan), **_NO_MESH_LABELS, **selector, "kubesonar.io/port": str(TRIAL_PORT)}
    virtual = {"type": "virtual-kubelet", "eks.amazonaws.com/compute-type": "fargate", "liqo.io/type": "virtual-node"}
    real = [{"key": key, "operator": "NotIn", "values": [value]} for key, value in virtual.items()]
    terms = {"nodeSelectorTerms": [{"matchExpressions": real}]}
    spec = {
        "serviceAccountName": plan.name,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": _pod_security(),
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
        "tolerations": [{"operator": "Exists"}],
        "containers": [_agent(plan)],
        "volumes": [
            {"name": "config", "configMap": {"name": plan.name}},
            {"name": "keys", "secret": {"secretName": plan.name, "defaultMode": 0o444}},
        ],
    }
    template = {"metadata": {"labels": labels, "annotations": _NO_MESH_ANNOTATIONS}, "spec": spec}
    return {"selector": {"matchLabels": selector}, "template": template}


def _agent(plan: TrialPlan) -> Tree:
    fields = {"NAME": "metadata.name", "NODE": "spec.nodeName", "ADDRESSES": "status.podIPs"}
    from_fields = [
        {"name": f"KUBESONAR_MEMBER_{name}", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in fields.items()
    ]
    return {
        **_container(plan, "agent", ["agent"]),
        "env": [{"name": "KUBESONAR_CONFIG", "value": f"{_CONFIG}/agent.yaml"}, *from_fields],
        "ports": [{"name": "agent", "containerPort": TRIAL_PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "agent"}, "periodSeconds": 2, "timeoutSeconds": 2},
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG, "readOnly": True},
            {"name": "keys", "mountPath": _KEYS, "readOnly": True},
        ],
    }


def _container(plan: TrialPlan, name: str, args: list[str]) -> Tree:
    return {
        "name": name,
        "image": plan.image,
        "args": args,
        "resources": {"requests": {"cpu": "30m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _pod_security() -> Tree:
    ping = {"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, "sysctls": [ping]}

"""The restricted standard of Pod Security, as far as a pod without init containers can break it
(https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}
"""Those that 1.28 already allows."""

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(spec: dict[str, Any]) -> list[str]:
    """What the standard says against a pod's spec."""
    return [*_pod(spec), *(f"{c['name']}: {wrong}" for c in spec["containers"] for wrong in _container(c, spec))]


def _pod(spec: dict[str, Any]) -> Iterator[str]:
    for shared in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(shared):
            yield shared
    security = spec.get("securityContext", {})
    for sysctl in security.get("sysctls", ()):
        if sysctl["name"] not in SAFE_SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    for volume in spec.get("volumes", ()):
        if kinds := set(volume) - {"name"} - VOLUMES:
            yield f"volume {kinds}"


def _container(container: dict[str, Any], spec: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**spec.get("securityContext", {}), **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "privilege escalation"
    if "ALL" not in own.get("capabilities", {}).get("drop", ()):
        yield "capabilities are kept"
    if set(own.get("capabilities", {}).get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "root"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "no seccomp profile"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "host port"

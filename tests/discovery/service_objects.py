"""Services and EndpointSlices as the API writes them."""

from __future__ import annotations

from typing import Any


def slice_(name: str = "kube-dns-a", *addresses: str, **conditions: bool | None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": True, "serving": True, "terminating": False, **conditions},
                "targetRef": {"kind": "Pod", "namespace": "kube-system", "name": f"coredns-{address[-1]}"},
            }
            for address in addresses
        ],
        "ports": [
            {"name": "metrics", "port": 9153, "protocol": "TCP"},
            {"name": "dns-tcp", "port": 1053, "protocol": "TCP"},
            {"name": "dns", "port": 1053, "protocol": "UDP"},
        ],
    }


def service(name: str, *addresses: str, namespace: str = "kube-system", port: int = 53) -> dict[str, Any]:
    ports = [{"port": port, "protocol": "UDP"}, {"port": port, "protocol": "TCP"}]
    spec = {"clusterIP": addresses[0], "clusterIPs": list(addresses), "ports": ports}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}

"""Names of nodes as providers and installers give them."""

from __future__ import annotations

CLUSTERS = {
    "EKS": [f"ip-10-0-{net}-{host}.eu-central-1.compute.internal" for net in (12, 13, 14) for host in (34, 7, 201, 99)],
    "EKS by resource": [f"i-0abcd1234ef5678{n:02x}.eu-central-1.compute.internal" for n in range(3, 15)],
    "GKE": [
        f"gke-prod-pool-{pool}-{word}-{end}"
        for pool, word in ((1, "8f2a7c1d"), (2, "1b2c3d4e"), (3, "99aa00ff"))
        for end in ("x9k2", "m3ab", "zz9q", "0h1d")
    ],
    "GKE with one pool": [f"gke-cluster-1-default-pool-8f2a7c1d-{end}" for end in ("x9k2", "m3ab", "zz9q", "0h1d")],
    "GKE Autopilot": [
        f"gk3-autopilot-cluster-1-{pool}-{end}"
        for pool in ("default-pool-8f2a7c1d", "pool-2-1b2c3d4e")
        for end in ("abcd", "b2c3", "zz9q")
    ],
    "AKS": [
        f"aks-{pool}-vmss0000{end}"
        for pool in ("nodepool1-12345678", "user-87654321")
        for end in ("00", "01", "0a", "0b", "10")
    ],
    "AKS with one pool": [f"aks-agentpool-30177613-vmss0000{end:02}" for end in range(12)],
    "kubeadm": ["master-1", "master-2", "master-3", *(f"worker-{n}" for n in range(1, 13))],
    "kubeadm by full name": [f"k8s-worker{n:02}.prod.example.com" for n in range(1, 13)],
    "k3s": ["k3s-prod-server-0", *(f"k3s-prod-agent-{n}" for n in range(12))],
    "k3s on small machines": ["raspberrypi", "raspberrypi4-a", "raspberrypi4-b", "nuc", "nuc-10"],
    "kind": ["kind-control-plane", "kind-worker", "kind-worker2", "kind-worker3"],
    "Talos": ["talos-8tz-1yl", "talos-9ab-2cd", "talos-8tz-3xy", "talos-k2v-0qp"],
    "Rancher": [f"rke2-prod-pool1-6b7f9c8d5{end}" for end in ("x-2fk9p", "x-7hhtq", "x-mm4zr", "x-q8vbn")],
}
"""Lists of nodes by what made them."""

"""Faults and changes that befall a virtual cluster's DNS and its doctors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kubesonar.sim.dns_cluster import Ailment, DnsCluster, DoctorOffice, SimDnsPod

if TYPE_CHECKING:
    from random import Random

_AILING = (Ailment.DEAF, Ailment.DEAF, Ailment.FROZEN, Ailment.GONE)


def _ill(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    pods = cluster.present()
    if pods:
        pod, ailment = rng.choice(pods), rng.choice(_AILING)
        unseen = ailment is Ailment.GONE and pod.node not in cluster.asking
        pod.falls_ill(cluster.now, Ailment.UNPLUGGED if unseen else ailment)


def _all_ill(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    if rng.random() < 0.3:
        for pod in cluster.present():
            pod.falls_ill(cluster.now, Ailment.DEAF)


def _well(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    pods = cluster.present()
    if pods:
        pod = rng.choice(pods)
        pod.recovers(cluster.now)
        if rng.random() < 0.5:
            pod.restarts += 1
            pod.restarted_at = cluster.now


def _cut(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    node = rng.choice(cluster.nodes)
    if cluster.cut.pop(node, None) is None:
        cluster.cut[node] = cluster.now


def _network(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    """Nothing passes between any nodes for half a minute, as while a CNI restarts."""
    if rng.random() < 0.2:
        ways = {(a, b) for a in cluster.nodes for b in cluster.nodes}
        cluster.ways |= ways
        cluster.after(30.0, cluster.ways.difference_update, ways)


def _way(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    way = rng.choice(cluster.nodes), rng.choice(cluster.nodes)
    (cluster.ways if rng.random() < 0.5 else cluster.udp_ways).symmetric_difference_update({way})


def _into_node(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    """No UDP, or nothing, gets into a node or out of it for a while, and its own pods hear each other."""
    node = rng.choice(cluster.nodes)
    ways = cluster.ways if rng.random() < 0.5 else cluster.udp_ways
    new = {(other, node) for other in cluster.nodes} - ways
    ways |= new
    cluster.after(rng.uniform(20, 300), ways.difference_update, new)


def _most_are_cut(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    """Most nodes reach nothing for a while, one hears all DNS pods but those on them."""
    alone = rng.choice(cluster.nodes)
    new = {(a, b) for a in cluster.nodes for b in cluster.nodes if alone not in (a, b)} - cluster.udp_ways
    cluster.udp_ways |= new
    cluster.after(rng.uniform(20, 300), cluster.udp_ways.difference_update, new)


def _rollout(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    if cluster.planned:
        return
    cluster.planned = ("a rollout of Deployment kube-system/coredns",)
    pods = cluster.present()
    for number, pod in enumerate(pods):
        cluster.after(20.0 * number, _roll, cluster, pod)
    cluster.after(20.0 * len(pods), setattr, cluster, "planned", ())


def _roll(cluster: DnsCluster, pod: SimDnsPod) -> None:
    if pod.deleted_at is None and cluster.planned:
        cluster.replace(pod)


def _cordon(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    cluster.cordoned.symmetric_difference_update({rng.choice(cluster.nodes)})


def _api(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    cluster.api = False
    cluster.after(rng.uniform(5, 90), setattr, cluster, "api", True)


def _rights(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    cluster.permitted = False
    cluster.after(60.0, setattr, cluster, "permitted", True)


def _budget(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    cluster.least_ready = rng.choice((0, 0, 1, 2))


def _successors(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    cluster.start = rng.choice((10.0, 10.0, 120.0, None))
    cluster.chronic = rng.random() < 0.3
    cluster.after(400.0, setattr, cluster, "start", 10.0)


def _doctor(cluster: DnsCluster, office: DoctorOffice, rng: Random) -> None:
    rng.choice((office.crash, office.hand_over))()


CALAMITIES: tuple[Callable[[DnsCluster, DoctorOffice, Random], None], ...] = (
    *[_ill] * 5,
    *[_well] * 2,
    _all_ill,
    _cut,
    _network,
    _way,
    *[_into_node] * 2,
    _most_are_cut,
    _rollout,
    _cordon,
    _api,
    _rights,
    _budget,
    _successors,
    *[_doctor] * 3,
)
"""Events that happen, by how often."""

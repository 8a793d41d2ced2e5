"""How soon a DNS pod that falls deaf by UDP is seen, and restarted where that is wanted at once.

`python -m bench.dns_repair [TRIALS]` (default 10), as root, writes bench/results/dns_repair.md. In a lab two unbounds
serve DNS, and `kubesonar dns watch --repair on --after 0s` runs in the pod network of a node as a process, as in a
cluster, with its usual period; the API double of the tests is beside it. At a random moment no UDP gets to one of the
servers any more, and it is measured when the metrics say so, when the eviction is done, and when the doctor holds the
restart for successful: the successor is a third unbound. Each trial has a doctor and an API server of its own.
"""

from __future__ import annotations

import os
import platform
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from kubesonar.doctor.rights import DOCTOR_LEASE
from kubesonar.lab.kernel.namespaces import within
from kubesonar.lab.network.firewall import load_rules
from kubesonar.lab.topology import DNS_VIP
from kubesonar.lab.world import LabWorld
from tests.apps.dns.watching import watching
from tests.doctor.cluster import DnsCluster, endpoints, service
from tests.doctor.repair.doctors import LONG_AGO
from tests.doctor.repair.kubernetes import dns_pod, workload
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.lab.inside import address, in_world
from tests.unbound import unbound

RESULT = Path(__file__).with_name("results") / "dns_repair.md"
SEED = 20261128
SERVERS = ("dns-1", "dns-2", "upstream")
"""Servers of the lab: of two pods, and of the successor."""
PODS = (3, 4, 5)
"""Numbers of the pods on them: the last digits of their addresses."""
ZONE = (
    "kubernetes.default.svc.cluster.local. 5 A 10.96.0.1",
    "10.0.96.10.in-addr.arpa. 5 PTR kube-dns.kube-system.svc.cluster.local.",
)
DEAF = "table ip deaf {\n chain in { type filter hook prerouting priority 0; udp dport 53 drop; }\n}\n"


class Times(msgspec.Struct):
    """Seconds from the moment at which the server fell deaf."""

    seen: float
    restarted: float
    helped: float


def trial(world: LabWorld, rng: random.Random) -> Times:
    """Let one pod fall deaf, and wait until it is restarted. To be called in the network of the doctor."""
    network, now = world.network(SERVERS[0]), time.monotonic
    with tempfile.TemporaryDirectory() as folder, ApiServer() as api:
        cluster = fill(api, [address(world, name) for name in SERVERS])
        arguments = ("--repair", "on", "--after", "0s", "--period", "5", "--timeout", "2", "--outside", "")
        with watching(cluster, Path(folder), *arguments) as watch:
            watch.until(lambda found: found.get(("kubesonar_dns_healthy", "")) == 1)
            time.sleep(rng.uniform(0, 5))
            began = now()
            load_rules(DEAF, network)
            try:
                watch.until(lambda found: found.get(("kubesonar_dns_healthy", "")) == 0)
                seen = now() - began
                watch.until(lambda found: ("kubesonar_dns_restarts_total", "done") in found)
                restarted = now() - began
                watch.until(lambda found: found.get(("kubesonar_dns_restart_outcomes_total", "true")) == 1)
                return Times(seen, restarted, now() - began)
            finally:
                load_rules("delete table ip deaf\n", network)


def fill(api: ApiServer, addresses: list[str]) -> DnsCluster:
    """Give the API server two DNS pods and what belongs to them; the third address is that of a successor."""
    cluster = DnsCluster(api, 53)
    for number in (1, 2):
        api.delete("pods", f"coredns-{number}", "kube-system")
    api.put("services", service(53, vip=DNS_VIP))
    api.put("endpointslices", endpoints(53, *addresses[:2]))
    pods = [dns_pod(number, since=LONG_AGO, ips=(at,)) for number, at in zip(PODS, addresses, strict=True)]
    for number, pod in zip(PODS, pods, strict=True):
        api.put("nodes", shapes.node(f"node-{number}"))
        if pod is not pods[-1]:
            api.put("pods", pod)
    api.put("deployments", workload("coredns"))
    api.put("leases", {"metadata": {"name": DOCTOR_LEASE, "namespace": "kube-system"}, "spec": {"holderIdentity": ""}})
    api.switches.evictions.successor = lambda pod: pods[-1]
    return cluster


def measure(world: LabWorld, trials: int, output: Path) -> None:
    """Write the times of so many trials."""
    rng, times = random.Random(SEED), list[Times]()
    with ExitStack() as servers:
        for name in SERVERS:
            server = unbound(world.directory.path, 53, ZONE, address=address(world, name), network=world.network(name))
            servers.enter_context(server)
        for _ in range(trials):
            times.append(within(world.network("node-1-pod"), partial(trial, world, rng)))
    output.write_bytes(msgspec.json.encode(times))


def report(times: list[Times]) -> str:
    """The page with the figures."""
    rows = (
        ("the deaf pod is seen", [one.seen for one in times], 10.0),
        ("from there to its restart", [one.restarted - one.seen for one in times], 15.0),
        ("from the fault to its restart", [one.restarted for one in times], 0.0),
        ("from the fault to the successor's answer", [one.helped for one in times], 0.0),
    )
    lines = [
        f"| {what} | {median(found):.1f} | {max(found):.1f} | {f'{goal:.0f}' if goal else ''} |"
        for what, found, goal in rows
    ]
    where = f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()}, {os.cpu_count()} cores, Python "
    return (
        "# From a deaf DNS pod to its restart\n\n"
        f"{where}{platform.python_version()}, load {os.getloadavg()[0]:.1f}. `python -m bench.dns_repair`: "
        "`kubesonar dns watch --repair on --after 0s --period 5 --timeout 2` from one standpoint, which takes 3 rounds "
        "in a row; unbound in the namespaces of a lab, deaf by a rule on its link, and the API double; "
        f"{len(times)} trials, seed {SEED}.\n\n"
        "| seconds | median | most | goal |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"
    )


def main() -> int:
    """Measure and write the page."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "times.json")
        in_world(partial(measure, trials=trials, output=output), dns=True)
        times = msgspec.json.decode(output.read_bytes(), type=list[Times])
    RESULT.write_text(report(times))
    print(report(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())

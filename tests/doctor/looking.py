"""One look at a test cluster, as `kubesonar dns check` makes it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import uvloop

from kubesonar.core.dns_check.results import DnsLook
from kubesonar.core.probing.resolv_conf import ResolvConf, parse
from kubesonar.doctor.helper_making import HelperWish
from kubesonar.doctor.look import Looker, LookOptions
from kubesonar.doctor.servers import DnsTarget
from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.net.clock import SystemClock
from tests.doctor.cluster import DnsCluster
from tests.doctor.dns_server import VIP

POD_CONF = parse(f"search x.svc.cluster.local svc.cluster.local cluster.local\nnameserver {VIP}\noptions ndots:5\n")


def look_at(
    cluster: DnsCluster,
    folder: Path,
    *,
    inside: bool = False,
    conf: ResolvConf | None = None,
    target: DnsTarget | None = None,
    vantage: int = 0,
    outside: str = "example.com",
    helper: HelperWish | None = None,
    timeout: float = 1.0,
    also: tuple[str, ...] = (),
) -> DnsLook:
    async def run() -> DnsLook:
        client = Client(from_kubeconfig(cluster.kubeconfig(folder)))
        options = LookOptions(
            target=target or DnsTarget(),
            outside=outside,
            vantage=vantage,
            helper=helper or HelperWish(),
            timeout=timeout,
            also=also,
        )
        looker = Looker(
            client,
            options,
            conf or (POD_CONF if inside else ResolvConf()),
            inside=inside,
            clock=SystemClock(),
            rng=random.Random(2),
        )
        try:
            return await looker.look()
        finally:
            await looker.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())

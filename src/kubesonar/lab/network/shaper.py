"""The speed of a node's link, limited by a token bucket (tbf, tc-tbf(8)) at each end, so in both directions."""

from __future__ import annotations

import os
from functools import partial

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from kubesonar.lab.faults import FaultError
from kubesonar.lab.kernel.namespaces import within
from kubesonar.lab.network.links import UPLINK

_BURST = 1514 + 16
"""Bytes that may pass at once: one full frame (1500 and the Ethernet header), and what is lost of them because the
kernel counts in ticks of 64 ns, 8 bytes at 1 Gbit/s: it drops what is longer. More: a train would pass undelayed."""
_QUEUE = 64 * 1024
"""Bytes that may wait: a few trains, so that a slow link delays them before it loses any."""
_ROOT = 0xFFFFFFFF  # TC_H_ROOT, include/uapi/linux/pkt_sched.h


def shape(node: str, network: int, kbit: float | None) -> None:
    """Limit the link of the node whose namespace is `network` to that many kbit/s each way; None removes the limit. To
    be called in the bridge's namespace. Raises FaultError where the kernel refuses."""
    try:
        within(None, partial(_limit, node, kbit))
        within(network, partial(_limit, UPLINK, kbit))
    except NetlinkError as error:
        raise FaultError(f"the kernel refused to limit the link of {node}: {os.strerror(error.code)}") from None


def _limit(interface: str, kbit: float | None) -> None:
    with IPRoute() as route:
        index = route.link_lookup(ifname=interface)[0]
        if kbit is not None:
            # pyroute2 takes bytes a second
            route.tc("replace", "tbf", index, rate=round(kbit * 125), burst=_BURST, limit=_QUEUE, parent=_ROOT)
        elif any(queue.get_attr("TCA_KIND") == "tbf" for queue in route.get_qdiscs(index=index)):
            route.tc("del", index=index, parent=_ROOT)

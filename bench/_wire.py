"""What one probe of each kind puts on the wire and into connection tracking, counted by the kernel.

In a network namespace of its own, on a loopback with the MTU of a real link (1,500) and without segmentation offload,
so that packets are packets. Every packet passes that device once, so its counters hold both directions.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from pyroute2 import IPRoute

from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.keyring import Keyring
from kubesonar.lab.network.firewall import load_rules
from kubesonar.lab.network.offload import segment_in_software
from kubesonar.model import Check, Kind, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.net.clock import SystemClock
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.probes.dns import DnsOptions, DnsProbe
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.http.terms import Bearer, Terms
from kubesonar.probes.icmp import IcmpOptions, IcmpProbe
from kubesonar.probes.mtu import MtuOptions, MtuProbe
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.tcp import TcpOptions, TcpProbe
from kubesonar.probes.udp import UdpOptions, UdpProbe
from tests.apps.agents import RunningAgent
from tests.kube.apiserver import ApiServer
from tests.net.rig import who
from tests.ports import free_port
from tests.probes.dns_servers import NAME, running_unbound

TIMES = 100
_QUIET = 0.3
_PAUSE = 0.01
"""Between two probes (s): a responder answers at most 2,000 datagrams a second of one address."""


_SOURCE = ProbeSource("bench", Network.POD)

Ask = Callable[[Check], Awaitable[Observation]]


class OnWire(msgspec.Struct, frozen=True):
    """Packets and IP bytes of one probe, both directions; conntrack entries that a probe adds when one target is probed
    again and again, and the longest time-out among them (s)."""

    packets: float
    octets: float
    entries: float
    timeout: int


def measure() -> dict[str, OnWire]:
    """By name of the probe. To be called in a network namespace of its own."""
    _prepare()
    with tempfile.TemporaryDirectory() as name, ApiServer() as api:
        folder, port = Path(name), free_port()
        (folder / "dns").mkdir()
        api.in_cluster(folder)
        quiet = {kind: {"period": 0, "timeout": 1} for kind in ("tcp", "http", "icmp", "mtu")}
        tree: dict[str, Any] = {
            "member": {"name": "peer", "port": port, "bind": ["127.0.0.1"]},
            "plan": {"udp": {"period": 86_400, "timeout": 1}, **quiet},
            "log": {"level": "error"},
        }
        with (
            running_unbound(folder / "dns") as dns,
            RunningAgent(folder, "peer", **tree),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            return runner.run(_all(port, dns, api, folder))


def _prepare() -> None:
    """Loopback as a link, with connection tracking, and echoes for everybody."""
    with IPRoute() as route:
        route.link("set", index=1, mtu=1500)
    segment_in_software("lo")
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
    load_rules(
        "table inet cost {\n chain out {\n  type filter hook output priority 0;\n  ct state new counter\n }\n}\n", None
    )


async def _all(port: int, dns: int, api: ApiServer, folder: Path) -> dict[str, OnWire]:
    clock, trust = SystemClock(), str(folder / "ca.crt")
    ring = Keyring()
    sender = Sender(who("bench"), 1)
    trains = TrainSender(sender, lambda: ring, ports=8)
    whole = TrainSender(sender, lambda: ring, ports=2, at_once=True)
    pinger = Pinger()
    bearer = Bearer("127.0.0.1", api.port, trust, lambda: api.token)
    terms = {"resumed": Terms(full=600.0), "token": Terms(bearer)}
    http = HttpProbe(_SOURCE, HttpOptions(), terms=terms)
    questions = DnsProbe(_SOURCE, DnsOptions(), clock, random.SystemRandom())
    member = Check("member", Kind.UDP, Way.POD, "peer", "127.0.0.1", port, timeout=5.0)
    server = msgspec.structs.replace(member, port=dns, request=f"{NAME} A udp")
    url = f"https://127.0.0.1:{api.port}"
    secure = msgspec.structs.replace(member, port=api.port, request=f"{url}/version", trust=trust)
    kinds: dict[str, tuple[Ask, Check]] = {
        "udp": (UdpProbe(_SOURCE, trains, UdpOptions(), base=1), member),
        "tcp": (TcpProbe(_SOURCE, TcpOptions()), member),
        "http": (http, msgspec.structs.replace(member, request=f"http://127.0.0.1:{port}/healthz")),
        "icmp": (IcmpProbe(_SOURCE, pinger, IcmpOptions()), member),
        "mtu": (MtuProbe(_SOURCE, trains, whole, MtuOptions()), member),
        "dns by udp": (questions, server),
        "dns by tcp": (questions, msgspec.structs.replace(server, request=f"{NAME} A tcp")),
        "https, full handshake": (http, secure),
        "https, session resumed": (http, msgspec.structs.replace(secure, id="resumed")),
        "https, refused and asked again with a token": (
            http,
            msgspec.structs.replace(secure, id="token", request=f"{url}/api/v1/namespaces/default/pods"),
        ),
    }
    try:
        return {name: await _measured(*kind) for name, kind in kinds.items()}
    finally:
        for closable in (trains, whole, pinger, http, questions):
            closable.close()


async def _measured(ask: Ask, check: Check) -> OnWire:
    before = _tracked()
    first = await ask(check)  # what is done once only, such as a first full handshake
    assert first.fault is None, f"{check.kind}: {first.fault} {first.detail}"
    await asyncio.sleep(_QUIET)  # what closes a connection is under way still
    packets, octets = _device()
    for _ in range(TIMES):
        seen = await ask(check)
        assert seen.fault is None, f"{check.kind}: {seen.fault} {seen.detail}"
        await asyncio.sleep(_PAUSE)
    await asyncio.sleep(_QUIET)
    sent, more = (now - then for now, then in zip(_device(), (packets, octets), strict=True))
    fresh = [timeout for entry, timeout in _tracked().items() if entry not in before]
    return OnWire(sent / TIMES, more / TIMES, len(fresh) / (TIMES + 1), max(fresh, default=0))


def _device() -> tuple[int, int]:
    """Packets and bytes that loopback has sent (proc(5), /proc/net/dev)."""
    fields = re.search(r"lo:(.*)", Path("/proc/net/dev").read_text())
    assert fields is not None
    numbers = [int(word) for word in fields[1].split()]
    return numbers[9], numbers[8]


def _tracked() -> dict[str, int]:
    """The time-out of each entry, by protocol and what tells it from others."""
    entries = {}
    for line in Path("/proc/net/nf_conntrack").read_text().splitlines():
        words = line.split()
        ends = [word for word in words if word.partition("=")[0] in ("src", "dst", "sport", "dport", "id")]
        entries[" ".join([words[2], *ends[: len(ends) // 2]])] = int(words[4])
    return entries

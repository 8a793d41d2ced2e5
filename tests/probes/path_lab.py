"""Runs in namespaces of its own (test_mtu.py says how): here, a router, and a responder behind it, on veth pairs.
Prints one JSON line for each case of `CASES`."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import uvloop

from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.probes.mtu import MtuOptions, MtuProbe
from kubesonar.probes.source import Probe, ProbeSource
from kubesonar.probes.udp import UdpOptions, UdpProbe

PORT = 7777
FAR = ("10.9.1.2", "fd09:1::2")
TIMEOUT = 1.5
RING = Keyring()
A, B = (WireIdentity.of(Member(name, name, (), 7473)) for name in "ab")

CASES: dict[str, list[str]] = {
    "fine": [],
    "hole": ["nft add rule inet t f meta length > 1400 drop"],
    "told": ["ip link set r1 mtu 1400"],
    "lossy": ["nft add rule inet t f numgen random mod 100 < 20 drop"],
    "slow": ["tc qdisc add dev r1 root tbf rate 1mbit burst 2000 latency 400ms"],
    "dead": ["nft add rule inet t f meta l4proto udp drop"],
    "overlay": [
        "nft add rule inet t f meta length > 1400 drop",
        "HERE ip route change default via 10.9.0.1 mtu 1400",
        "HERE ip route change default via fd09:0::1 dev a0 mtu 1400",
    ],
}
ONCE = ("lossy", "slow", "dead")
UNDO = ["nft flush chain inet t f", "ip link set r1 mtu 1500", "tc qdisc del dev r1 root"]


def run(command: str, pid: int = 0, *, check: bool = True) -> None:
    """Runs a command here, or in the network namespace of `pid`."""
    enter = ["nsenter", "-t", str(pid), "-n"] if pid else []
    subprocess.run([*enter, *command.split()], check=check, capture_output=True)


@contextmanager
def namespace(*command: str) -> Iterator[int]:
    """A process in a network namespace of its own."""
    with subprocess.Popen(["unshare", "-n", *command]) as process:
        try:
            ours = Path("/proc/self/ns/net").readlink()
            while Path(f"/proc/{process.pid}/ns/net").readlink() == ours:
                time.sleep(0.01)
            yield process.pid
        finally:
            process.send_signal(signal.SIGKILL)


def wire_up(router: int, far: int) -> None:
    """here a0 -- r0 router r1 -- b0 far, 1500 bytes, both families; a chain `f` of what is forwarded."""
    run(f"ip link add a0 type veth peer name r0 netns {router}")
    run(f"ip link add r1 type veth peer name b0 netns {far}", router)
    for pid, name, side in ((0, "a0", 0), (router, "r0", 0), (router, "r1", 1), (far, "b0", 1)):
        host = 1 if pid == router else 2
        run(f"ip addr add 10.9.{side}.{host}/24 dev {name}", pid)
        run(f"ip addr add fd09:{side}::{host}/64 dev {name} nodad", pid)
        run(f"ip link set {name} up", pid)
        if pid != router:
            run(f"ip route add default via 10.9.{side}.1", pid)
            run(f"ip route add default via fd09:{side}::1", pid)
    run("sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1", router)
    run("nft add table inet t", router)
    run("nft add chain inet t f { type filter hook forward priority 0; }", router)


async def respond() -> None:
    """The far end."""
    responder = UdpResponder(["0.0.0.0", "::"], PORT, me=lambda: B, ring=lambda: RING, publish=lambda _: None)
    try:
        await asyncio.Event().wait()
    finally:
        responder.close()


async def observe(router: int) -> None:
    """Tries every case in both families, each twice: the second time the probe knows what it found."""
    source = ProbeSource("a", Network.POD)
    for number, (case, commands) in enumerate(CASES.items(), 1):
        for command in commands:
            here = command.removeprefix("HERE ")
            run(here, 0 if here != command else router)
        sender = Sender(A, number)
        engine, searcher = TrainSender(sender, lambda: RING), TrainSender(sender, lambda: RING, at_once=True)
        probe, trains = MtuProbe(source, engine, searcher, MtuOptions()), UdpProbe(source, engine, UdpOptions(), 1)
        for address in FAR[:1] if case in ONCE else FAR:
            check = Check(f"mtu/{case}/{address}", Kind.MTU, Way.POD, "b", address, PORT, timeout=TIMEOUT)
            observations = [await judged(probe, check) for _ in range(1 if case in ONCE else 2)]
            sys.stdout.write(msgspec.json.encode((case, address, observations)).decode() + "\n")
            train = Check(f"udp/{case}/{address}", Kind.UDP, Way.POD, "b", address, PORT, timeout=0.5)
            observations = [await judged(trains, train) for _ in range(2)]
            sys.stdout.write(msgspec.json.encode((f"{case} train", address, observations)).decode() + "\n")
        for command in UNDO:
            run(command, router, check=False)
        engine.close()
        searcher.close()


async def judged(probe: Probe, check: Check) -> Observation:
    """Asks again as long as this machine was too busy to tell."""
    for _ in range(20):
        observation = await probe(check)
        if observation.fault is not Fault.LOCAL:
            break
    return observation


async def ready() -> None:
    """Waits until the far end answers."""
    engine = TrainSender(Sender(A, 0), lambda: RING, at_once=True)
    for address in FAR:
        for number in range(100):
            if (await engine.train(address, PORT, number=number, count=1, size=64, timeout=0.2)).received:
                break
            await asyncio.sleep(0.05)
    engine.close()


async def main() -> None:
    """Builds, observes, leaves."""
    with (
        namespace("sleep", "60") as router,
        namespace(sys.executable, __file__, "respond") as far,
    ):
        wire_up(router, far)
        await ready()
        await observe(router)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(respond() if sys.argv[1:] == ["respond"] else main())

"""Floods over real links with forged senders: a healthy peer's trains still count, and nobody is accused."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from kubesonar.apps import agent
from kubesonar.apps.agent.options import KeyOptions
from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import Assessment, assess
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.apps.lab.mesh import agent_options
from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.keyring import Keyring
from kubesonar.lab.kernel.processes import LabProcess
from kubesonar.lab.world import LabWorld
from kubesonar.model import MEMBER_PORT, Health, Side
from tests.apps.agents import until
from tests.lab.inside import home, in_world
from tests.net.rig import who
from tests.scenarios.flooding import forged_probe, port_unreachable, send_packets, udp_packet

pytestmark = [pytest.mark.lab, pytest.mark.long]

RATE = 20_000
SECONDS = 4.0
LOOK = 0.5
KEY = b"\xab" * 32
MESH = Keyring({1: KEY}, 1)
VICTIM, PEER, ATTACKER = "node-1-host", "node-2-host", "node-3-host"


def open_connections(address: str) -> int:
    """Connections that say nothing, as fast as they open, 500 of them at a time; how many they were."""
    made = 0
    deadline = time.monotonic() + SECONDS
    held: list[socket.socket] = []
    while time.monotonic() < deadline:
        one = socket.socket()
        one.setblocking(False)
        with contextlib.suppress(OSError):
            one.connect_ex((address, MEMBER_PORT))
            made += 1
        held.append(one)
        if len(held) > 500:
            held.pop(0).close()
    return made


def floods(world: LabWorld) -> dict[str, Callable[[], int]]:
    """The floods from the attacker to the victim, by what comes."""
    members = {member.name: member for member in world.plan.members}
    peer, (four, six) = members[PEER], members[VICTIM].addresses
    peer_four, peer_six = peer.addresses
    odd = (
        forged_probe(peer, version=2),
        forged_probe(peer, version=1),
        forged_probe(peer, version=9),
        forged_probe(peer, Keyring({200: bytes(32)}, 200)),
        forged_probe(peer, Keyring()),
        forged_probe(peer)[:50],
        forged_probe(peer) + bytes(1300),
        b"",
    )
    recorded = forged_probe(peer, MESH)
    ghost = Sender(who("ghost"), 1)
    packets: dict[str, tuple[str, Callable[[int], bytes]]] = {
        "a peer's address": (four, lambda number: udp_packet(peer_four, four, forged_probe(peer))),
        "2,000 addresses": (
            four,
            lambda number: udp_packet(f"10.90.{100 + number // 200}.{number % 200 + 1}", four, forged_probe(peer)),
        ),
        "a peer's IPv6 address": (six, lambda number: udp_packet(peer_six, six, forged_probe(peer))),
        "other versions, other keys, cut and long": (
            four,
            lambda number: udp_packet(peer_four, four, odd[number % len(odd)]),
        ),
        "signed and replayed": (four, lambda number: udp_packet(peer_four, four, recorded)),
        "ICMP errors": (four, lambda number: port_unreachable(peer_four, four, peer_four, 32_768 + 14 * number)),
    }
    found: dict[str, Callable[[], int]] = {
        name: partial(send_packets, to, make, RATE, SECONDS) for name, (to, make) in packets.items()
    }
    fresh = partial(send_packets, four, lambda number: udp_packet(peer_four, four, ghost.probe(MESH, number, 0, 8, 64)))
    found["signed by who is no member"] = partial(fresh, RATE, SECONDS, int(RATE * SECONDS))
    return found | {"connections": partial(open_connections, four)}


def look(world: LabWorld) -> Assessment:
    """What `kubesonar check` sees."""
    return asking.run_async(
        assess(
            [
                SnapshotSource(f"unix:{world.directory.agent_socket(member.name)}", member.name)
                for member in world.plan.members
            ]
        )
    )


def counted(seen: Assessment, since: float) -> int:
    """Datagrams of the peer's trains that were answered since then, over both families."""
    return sum(
        trial.received
        for snapshot in seen.snapshots
        for edge in snapshot.edges
        for trial in edge.trials
        if (snapshot.member.name, edge.latest.check.target, edge.latest.side) == (PEER, VICTIM, Side.SOURCE)
        and edge.latest.check.id.startswith("udp/")
        and trial.at > since
    )


def ran(flood: Callable[[], int]) -> int:
    """The exit code of a flooder: 0 where it sent anything."""
    return int(not flood())


def flooded(world: LabWorld) -> None:
    keys = world.directory.path / "keys"
    keys.write_text(f"1 {KEY.hex()}\n")
    for member in world.plan.members:
        options = msgspec.structs.replace(agent_options(world, member, ()), keys=KeyOptions(file=str(keys)))
        world.start(member, partial(agent.run_agent, options, {}))
    until(lambda: look(world).verdict.verdict is Health.GOOD)
    for name, flood in floods(world).items():
        begun = time.time()
        log = world.directory.log("flooder")
        flooder = LabProcess("flooder", partial(ran, flood), home(world, ATTACKER), log)
        flooder.start()
        while flooder.running:
            time.sleep(LOOK)
            seen = look(world)
            assert not seen.verdict.findings, f"{name}: {seen.verdict.sentence}"
        assert flooder.exit_code == 0, f"{name}: {log.read_text()}"
        victim = next(snapshot for snapshot in seen.snapshots if snapshot.member.name == VICTIM)
        troubled = any(trouble.until is None or trouble.until > begun for trouble in victim.troubles)
        assert troubled or counted(seen, begun) > 0, name


def test_nobody_is_accused_for_a_flood() -> None:
    in_world(flooded, nodes=3)

"""A real agent, and a network that means it ill."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Fault, Member, Side
from tests.apps.agents import RunningAgent, members, tree, until
from tests.net.rig import who
from tests.ports import free_port

RING = Keyring()
RATE = 20_000
"""Datagrams of a flood a second."""
SETTLED = 2.5
"""Seconds after which a train that was lost is known to be: its timeout, and some more."""


def resident(agent: RunningAgent) -> int:
    """Bytes of RAM it takes."""
    pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def flood(port: int, seconds: float, address: str = "127.0.0.9") -> int:
    """Trains of ever new senders, replays and garbage, as fast as they go; how many datagrams that were."""
    sent = 0
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((address, 0))
        peer.connect(("127.0.0.1", port))
        while time.monotonic() < end:
            probe = Sender(who(os.urandom(8).hex()), 1).probe(RING, 1, 0, 1, 64)
            for data in (probe, probe, os.urandom(64), b"", probe[:20], bytes(9300)):
                with contextlib.suppress(ConnectionRefusedError, BlockingIOError):
                    peer.send(data)
                    sent += 1
    return sent


def test_a_flood_of_strangers_costs_no_edge_and_no_memory_and_others_are_answered(tmp_path: Path) -> None:
    port, peer = free_port(), free_port()
    roster = members(tmp_path, {"a": port, "peer": peer})
    small = {"ledger": {"edges": 64}}
    with (
        RunningAgent(tmp_path, "a", **tree("a", port, roster, **small)) as agent,
        RunningAgent(tmp_path, "peer", **tree("peer", peer, roster)) as other,
    ):
        until(lambda: any(e.latest.received for e in other.snapshot().edges if e.latest.check.target == "a"))
        flood(port, 1.0)
        before = resident(agent)
        begun = time.time()
        assert flood(port, 3.0) > 1000
        edges = agent.snapshot().edges
        assert {e.latest.check.target for e in edges} == {"a", "peer"}
        assert {e.latest.side for e in edges} == {Side.SOURCE, Side.RESPONDER}
        assert resident(agent) - before < 8 << 20
        assert b'kubesonar_dropped_total{what="strangers"}' in agent.get("/metrics")[1]
        trials = next(e for e in other.snapshot().edges if e.latest.check.id == "udp/pod/a/v4").trials
        during = [t for t in trials if t.at > begun]
        assert sum(t.received for t in during if t.fault is not Fault.LOCAL) > 0
        assert agent.stop() == 0
        assert "Traceback" not in agent.log.read_text()


FLOOD_KEYS = {"keyed": Keyring({1: b"k" * 32}, 1), "no keys": Keyring()}


@pytest.mark.parametrize("keys", FLOOD_KEYS)
def test_a_flood_from_a_peers_address_accuses_nobody(tmp_path: Path, keys: str) -> None:
    """Where members have keys their trains count all the while. Without, a stranger can be anybody, and the rate limit
    of the peer's address is used up: then the loss is said to be the agent's own doing."""
    ports = {"a": free_port(), "peer": free_port()}
    roster = members(tmp_path, ports)
    (tmp_path / "keys").write_text(f"1 {(b'k' * 32).hex()}\n")
    more = {"keys": {"file": str(tmp_path / "keys")}} if keys == "keyed" else {}
    stranger = Keyring({1: b"x" * 32}, 1) if keys == "keyed" else Keyring()
    with (
        RunningAgent(tmp_path, "a", **tree("a", ports["a"], roster, **more)) as agent,
        RunningAgent(tmp_path, "peer", **tree("peer", ports["peer"], roster, **more)) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder,
    ):
        until(lambda: any(e.latest.received for e in other.snapshot().edges if e.latest.check.target == "a"))
        flooder.connect(("127.0.0.1", ports["a"]))
        sender = Sender(who("stranger"), 1)
        frames = [sender.probe(stranger, number, 0, 1, 64) for number in range(40_000)]
        begun = time.time()
        for at in range(0, len(frames), 100):
            for frame in frames[at : at + 100]:
                flooder.send(frame)
            time.sleep(max(0.0, begun + at / RATE - time.time()))
        ended = time.time()
        time.sleep(SETTLED)
        snapshots = [agent.snapshot(), other.snapshot()]
    assert verdict_on(basis(snapshots, {}, time.time()), str).findings == ()
    edge = next(e for e in snapshots[1].edges if e.latest.check.id == "udp/pod/a/v4")
    during = [trial for trial in edge.trials if begun < trial.at < ended and trial.fault is not Fault.LOCAL]
    lossless = all(trial.received == trial.sent for trial in during)
    troubled = any(trouble.until is None or trouble.until > begun for trouble in snapshots[0].troubles)
    assert during and (lossless or troubled)
    assert troubled or keys == "keyed"


def test_clients_that_only_hold_connections_keep_no_probe_away(tmp_path: Path) -> None:
    port, peer = free_port(), free_port()
    roster = members(tmp_path, {"a": port, "peer": peer})
    with (
        RunningAgent(tmp_path, "a", **tree("a", port, roster)) as agent,
        RunningAgent(tmp_path, "peer", **tree("peer", peer, roster)) as other,
        contextlib.ExitStack() as held,
    ):
        begun = time.time()
        for _ in range(300):
            slow = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        assert agent.status("/healthz") == 200
        seen = until(
            lambda: [
                e
                for e in other.snapshot().edges
                if e.latest.check.id in ("http/pod/a/v4", "tcp/pod/a/v4") and e.latest.at > begun
            ][:2]
        )
        assert all(e.latest.fault in (None, Fault.LOCAL) for e in seen)


def test_a_replayed_train_is_counted_as_nobodys(tmp_path: Path) -> None:
    port = free_port()
    theirs = free_port()
    roster = members(tmp_path, {"a": port, "peer": theirs})
    with (
        RunningAgent(tmp_path, "a", **tree("a", port, roster)) as agent,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        recorded = Sender(WireIdentity.of(Member("peer", "peer", (), theirs)), 1).probe(RING, 7, 0, 1, 64)
        for _ in range(20):
            peer.sendto(recorded, ("127.0.0.1", port))
        edge = until(lambda: next((e for e in agent.snapshot().edges if e.latest.side is Side.RESPONDER), None))
        time.sleep(0.3)
        assert (edge.latest.check.target, sum(trial.received for trial in edge.trials)) == ("peer", 1)

"""Runs a piece of a test in a lab's own namespaces, and its failure out here again."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kubesonar.lab.directory import Directory
from kubesonar.lab.faults import parse
from kubesonar.lab.kernel.isolate import Isolation, run_isolated
from kubesonar.lab.kernel.namespaces import within
from kubesonar.lab.topology import plan_lab
from kubesonar.lab.world import LabWorld
from tests.programs import needs

PATIENCE = 5.0
"""Seconds to wait for what must come."""
SILENCE = 0.15
"""Seconds to wait for what must not come."""

needs_nft = needs("nft")


def in_namespaces(body: Callable[[], None], *, user: bool = False) -> None:
    """Runs `body` in new namespaces. Fails with what it said where it fails, skips where there are no namespaces."""

    def inside(isolation: Isolation) -> int:
        if not isolation.namespaces:
            print(isolation.reason)  # noqa: T201
            return _NO_GROUND
        body()
        return 0

    with tempfile.TemporaryFile() as output:
        code = _in_child(lambda: run_isolated(inside, user=user), output.fileno())
        output.seek(0)
        said = output.read().decode(errors="replace")
    if code == _NO_GROUND:
        pytest.skip(f"needs network namespaces: {said}")
    assert code == 0, f"exit code {code}:\n{said}"


def in_world(body: Callable[[LabWorld], None], *, nodes: int = 2, user: bool = False, dns: bool = False) -> None:
    """As `in_namespaces`, with a small world built there, with a DNS Service where `dns` says so."""

    def build() -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            LabWorld.build(plan_lab(nodes, dns=dns), Directory(Path(folder, "lab"))) as world,
        ):
            body(world)

    in_namespaces(build, user=user)


def order(world: LabWorld, text: str) -> None:
    """Brings a fault about as a person writes it."""
    world.apply(parse(text, world.plan))


def address(world: LabWorld, name: str, family: socket.AddressFamily = socket.AF_INET) -> str:
    """The address of a member or server."""
    places = {member.name: member.addresses for member in world.plan.members}
    places |= {server.name: server.addresses for server in world.plan.servers}
    return places[name][family == socket.AF_INET6]


def home(world: LabWorld, name: str) -> int:
    """The namespace in which a member or server lives."""
    homes = {member.name: world.plan.home(member) for member in world.plan.members}
    network = world.network(homes.get(name, name))
    assert network is not None
    return network


def passes(
    world: LabWorld, source: str, target: str, *, packet: int = 100, family: socket.AddressFamily = socket.AF_INET
) -> bool:
    """Whether a UDP datagram that makes an IP packet of that size gets from one member or server to another."""
    return count(world, source, target, 1, packet=packet, family=family, wait=PATIENCE) == 1


def blocked(
    world: LabWorld, source: str, target: str, *, packet: int = 100, family: socket.AddressFamily = socket.AF_INET
) -> bool:
    """The contrary of `passes`, with less patience."""
    return count(world, source, target, 1, packet=packet, family=family) == 0


def count(
    world: LabWorld,
    source: str,
    target: str,
    datagrams: int,
    *,
    packet: int = 100,
    family: socket.AddressFamily = socket.AF_INET,
    port: int = 9999,
    wait: float = SILENCE,
) -> int:
    """How many of so many UDP datagrams arrive, none later than `wait` after the one before."""
    payload = bytes(packet - (28 if family == socket.AF_INET else 48))  # IP and UDP headers
    make = partial(socket.socket, family, socket.SOCK_DGRAM)
    with within(home(world, target), make) as receiver, within(home(world, source), make) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        receiver.bind((address(world, target, family), port))
        for _ in range(datagrams):
            sender.sendto(payload, receiver.getsockname())
        arrived = 0
        receiver.settimeout(wait)
        while arrived < datagrams:
            try:
                receiver.recv(2048)
            except TimeoutError:
                break
            arrived += 1
        return arrived


def connects(world: LabWorld, source: str, target: str, port: int = 7473, wait: float = PATIENCE) -> bool:
    """Whether a TCP connection comes about."""
    make = partial(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
    with within(home(world, target), make) as server, within(home(world, source), make) as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address(world, target), port))
        server.listen()
        client.settimeout(wait)
        try:
            client.connect(server.getsockname())
        except OSError:
            return False
        return True


_NO_GROUND = 77


def _in_child(run: Callable[[], int], output: int) -> int:
    pid = os.fork()
    if pid == 0:
        _live(run, output)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _live(run: Callable[[], int], output: int) -> None:
    """In the child, and again in the lab that it forks."""
    import sys
    import traceback

    code = 1
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        code = run()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)

"""Two ends on one event loop: an engine that asks and a responder that answers, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from kubesonar.core.wire.codec import CURRENT, Datagram, Sender, decode
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Member
from kubesonar.net.ticks import Ticks
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.token_bucket import RateLimits
from kubesonar.net.udp.train_records import TrainRecord
from kubesonar.net.udp.train_sender import TrainSender

T = TypeVar("T")


def who(name: str) -> WireIdentity:
    """The hashes of a member without an address, alone on its node."""
    return WireIdentity.of(Member(name, f"node-{name}", (), 7473))


ASKER = who("1")
ANSWERER = who("2")
GENEROUS = RateLimits(rate=1e6, burst=1e6, total_rate=1e6, total_burst=1e6)


KEY = Keyring({1: bytes(16)}, 1)


def accepted(data: bytes) -> Datagram:
    """A datagram that is signed with `KEY`."""
    datagram = decode(data, KEY)
    assert isinstance(datagram, Datagram)
    return datagram


def run(scenario: Coroutine[Any, Any, T], tick: float = 0.001) -> T:
    """Runs a scenario on the event loop that an agent runs on, in quicker ticks."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        Ticks.of(runner.get_loop(), tick)
        return runner.run(scenario)


def starve(seconds: float) -> None:
    """Keeps the event loop from running."""
    time.sleep(seconds)


def open_files() -> int:
    """How many descriptors this process holds."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextmanager
def rig(
    *addresses: str,
    asks_with: Keyring | None = None,
    answers_with: Keyring | None = None,
    asks_in: int = CURRENT,
    answers_in: int = CURRENT,
    publish: Callable[[TrainRecord], None] = lambda record: None,
    limits: RateLimits = GENEROUS,
    **engine: Any,
) -> Iterator[tuple[TrainSender, UdpResponder]]:
    """An engine and a responder on `addresses` (127.0.0.1 unless named), with a key ring and a newest version each."""
    asker, answerer = asks_with or Keyring(), answers_with or Keyring()
    responder = UdpResponder(
        addresses or ("127.0.0.1",),
        0,
        me=lambda: ANSWERER,
        ring=lambda: answerer,
        publish=publish,
        speak=answers_in,
        limits=limits,
    )
    asking = TrainSender(Sender(ASKER, 1), lambda: asker, speak=asks_in, **engine)
    try:
        yield asking, responder
    finally:
        asking.close()
        responder.close()

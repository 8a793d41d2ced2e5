"""The search for the largest packet that passes, against a peer that lets only small ones pass. Links that do so for
real: tests/probes/test_mtu.py."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubesonar.core.wire import codec
from kubesonar.core.wire.keyring import Keyring
from kubesonar.net.udp.path_mtu import PathResult, PathSearch, SizeOutcome
from tests.net.rig import ANSWERER, rig, run, starve

HEADERS = 28
"""Bytes of IPv4 and UDP before a datagram's own."""


@contextmanager
def passing(biggest: int, lost: int = 0, hurried: list[bool] | None = None) -> Iterator[int]:
    """A peer that answers packets of at most so many bytes, after it has lost the first few; gives its port. Notes of
    each packet whether its sender is in a hurry."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        left = lost

        def ready() -> None:
            nonlocal left
            data, back = peer.recvfrom(65_536)
            probe = codec.decode(data, Keyring())
            if hurried is not None and isinstance(probe, codec.Datagram):
                hurried.append(not probe.flags & codec.UNHURRIED)
            if len(data) + HEADERS > biggest:
                return
            left -= 1
            if left < 0 and isinstance(probe, codec.Datagram):
                peer.sendto(codec.echo(probe, ANSWERER, Keyring(), hold=0, seen=1, gap=0) or b"", back)

        loop = asyncio.get_running_loop()
        loop.add_reader(peer.fileno(), ready)
        try:
            yield peer.getsockname()[1]
        finally:
            loop.remove_reader(peer.fileno())


async def search(port: int, *, ceiling: int = 1500, known: int = 0, train: int = 0, timeout: float = 3.0) -> PathResult:
    """The result for a path to that port, of which 1,400 bytes are expected."""
    with rig() as (sender, _), rig(at_once=True) as (searcher, _):
        way = PathSearch(sender, searcher, "127.0.0.1", port, timeout=timeout, ceiling=ceiling, known=known, number=1)
        return await way.run(least=1400, tries=4, train=train)


def test_what_passes_is_the_ceiling() -> None:
    async def scenario() -> PathResult:
        with passing(9000) as port:
            return await search(port, train=8)

    result = run(scenario())
    assert (result.outcome, result.mtu, result.limit, result.by) == (SizeOutcome.PASSED, 1500, 1500, "")
    assert result.small.received


def test_only_what_follows_big_ones_that_vanished_is_in_a_hurry() -> None:
    hurried: list[bool] = []

    async def scenario(biggest: int) -> None:
        with passing(biggest, hurried=hurried) as port:
            await search(port, train=8)

    run(scenario(9000))
    assert hurried == [False] * (2 + 8), "a healthy path keeps nobody awake"
    hurried.clear()
    run(scenario(1280))
    assert hurried[:10] == [False] * 2 + [True] * 8, "one of each size, and four more of each to compare"


@pytest.mark.parametrize("known", [0, 1377, 1000])
@pytest.mark.parametrize("biggest", [1377, 1280, 577])
def test_where_big_ones_vanish_the_biggest_that_passes_is_found(biggest: int, known: int) -> None:
    """A machine that is too busy to answer within a step of the search finds less, and never more."""

    async def scenario() -> PathResult:
        with passing(biggest) as port:
            return await search(port, known=known)

    for _ in range(5):
        result = run(scenario())
        assert result.outcome is SizeOutcome.VANISHED
        assert result.mtu <= biggest
        if result.mtu == biggest:
            return
    raise AssertionError(f"found {result.mtu} in the last of five searches, {biggest} passes")


def test_a_link_that_takes_less_than_is_expected_is_told_from_a_path_that_does() -> None:
    async def scenario() -> PathResult:
        with passing(9000) as port:
            return await search(port, ceiling=1300)

    result = run(scenario())
    assert (result.outcome, result.mtu) == (SizeOutcome.LINK, 1300)


def test_silence_to_small_ones_says_nothing_of_big_ones() -> None:
    async def scenario() -> PathResult:
        with passing(0) as port:
            return await search(port, timeout=0.6)

    result = run(scenario())
    assert (result.outcome, result.mtu) == (SizeOutcome.SILENT, 0)


def test_where_small_ones_are_lost_too_nothing_is_concluded() -> None:
    async def scenario() -> PathResult:
        with passing(500, lost=4) as port:
            return await search(port, timeout=1.2)

    result = run(scenario())
    assert (result.outcome, result.mtu) == (SizeOutcome.UNCLEAR, 0)


def test_a_process_that_does_not_run_concludes_nothing() -> None:
    async def scenario() -> PathResult:
        with passing(0) as port:
            searching = asyncio.ensure_future(search(port, timeout=0.6))
            await asyncio.sleep(0)
            starve(0.5)
            await asyncio.sleep(0.05)
            starve(0.5)
            return await searching

    assert run(scenario()).outcome is SizeOutcome.STARVED

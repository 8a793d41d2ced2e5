"""Probes a member and its host when its agent does not answer pings: a probe of its responder, a TCP handshake on the
agent's port and an ICMP echo."""

from __future__ import annotations

import asyncio

from kubesonar.core.membership.messages import Reachability
from kubesonar.core.wire import codec
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.model import Fault, Member
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.net.tcp.stream import Stream
from kubesonar.net.udp.train_sender import TrainSender

_ANSWERED, _MISDELIVERED, _ACCEPTED, _REFUSED, _ECHOED, _SILENT, _UNABLE = range(7)
_RESULTS = (
    Reachability.AGENT,
    Reachability.STRANGER,
    Reachability.KERNEL,
    Reachability.REFUSED,
    Reachability.KERNEL,
    Reachability.SILENT,
    Reachability.UNABLE,
)
"""The result for each outcome; the first outcome in this order that any address gives decides. A kernel accepts
connections for an agent that is frozen, and refuses them where the agent is gone."""

_OWN_TROUBLE = frozenset({Fault.LOCAL, Fault.NOT_PERMITTED})


async def probe_host(member: Member, timeout: float, pinger: Pinger, trains: TrainSender) -> Reachability:
    """Probe `member` and its host for `timeout` seconds by all its addresses at once, and return the result."""
    probes = [_probe(member, address, timeout, trains) for address in member.addresses]
    handshakes = [_handshake(address, member.port, timeout) for address in member.addresses]
    echoes = [_echo(address, timeout, pinger) for address in member.addresses]
    outcomes = await asyncio.gather(*probes, *handshakes, *echoes)
    return _RESULTS[min(outcomes, default=_UNABLE)]


async def _probe(member: Member, address: str, timeout: float, trains: TrainSender) -> int:
    """Two datagrams, so that one that is lost means nothing."""
    result = await trains.train(
        address,
        member.port,
        number=0,
        count=2,
        size=codec.MIN_REQUEST,
        timeout=timeout,
        flags=codec.UNRECORDED,
        meant=WireIdentity.of(member),
    )
    if result.received:
        return _ANSWERED
    return _MISDELIVERED if result.misdelivered else _UNABLE


async def _handshake(address: str, port: int, timeout: float) -> int:
    stream = Stream()
    try:
        with Deadline(timeout) as deadline:
            await stream.connect(address, port, deadline)
    except Failed as failed:
        if failed.fault in (Fault.REFUSED, Fault.RESET):
            return _REFUSED
        return _UNABLE if failed.fault in _OWN_TROUBLE else _SILENT
    else:
        return _ACCEPTED
    finally:
        stream.abort()


async def _echo(address: str, timeout: float, pinger: Pinger) -> int:
    with Deadline(timeout) as deadline:
        echo = await pinger.ping(address, deadline)
    if echo.fault is None:
        return _ECHOED
    return _UNABLE if echo.fault in _OWN_TROUBLE else _SILENT

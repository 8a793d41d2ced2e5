"""Models what a rate of loss does to one trial: how probable it is that the trial is bad, and that nothing of it came
back.

A train of m datagrams is bad with probability 1 - (1 - rate)^m and dead with rate^m, were losses independent. They are
not: a share of what is lost goes in bursts that take a whole train. A TCP connection sends its lost segments again, and
is given up when all that it sends before its timeout are lost (Linux sends a SYN again each second for some seconds).
So success of TCP does not contradict a loss of 5 %, and failure of it does not count as a loss of 5 %. Where the kernel
tells how many SYNs a handshake took, each that was sent again was lost, or its answer was.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import msgspec

from kubesonar.core.diagnosis.parts.shares import MOST_SERVERS, Shares, mean_share

BIG = 0
"""The `packets` of a trial of size: three big packets vanish where one of three small ones passes."""

_MOST_TRIES = 4
_LOOK_UPS = -10

BURST_SHARE = 0.02
"""Share of loss that takes whole trains. Too high, and UDP that is blocked looks like a lossy way; too low, and a lossy
way whose losses come in bursts looks like two faults."""

RATES = (0.003, 0.006, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.92, 0.98, 0.999)
"""The rates of loss that are tried."""

_HIGHEST = 0.9995


READING = -100
"""The `packets` of a trial that only says whether anything gets through at all, as reading a member does: so much is
tried again that a loss of some packets does not show."""

_NOTHING_PASSES = 0.9
"""Loss from which on next to nothing is read."""

_READ_BESIDE = 0.135
"""Chance that a member is read over another network although nothing gets through its own, as where nodes are managed
over one of their own: 2 nats for each, of which a node in both networks has two. Lower, and in such a cluster of three
nodes one of them that receives nothing is told as two ways to it; higher, and a single way from a node whose other
peers are gone is told as that node, though it is known to answer."""


@lru_cache(maxsize=64)
def stream(timeout: float) -> int:
    """The `packets` of a trial whose kernel sends lost segments again (TCP): how many must be lost, negative."""
    return -min(_MOST_TRIES, max(1, ceil(timeout)))


def handshake(timeout: float) -> int:
    """The `packets` of a connection whose kernel told how many SYNs it sent: bad where one was sent again, dead where
    none was answered."""
    return stream(timeout) - _MOST_TRIES


def may_be_bad_in_part(packets: int) -> bool:
    """Return whether of a bad trial of so many `packets` something may have come through."""
    return packets > 1 or _LOOK_UPS < packets < -_MOST_TRIES


def is_stream(packets: int) -> bool:
    """Return whether trials of so many `packets` are of a kernel that sends lost segments again."""
    return _LOOK_UPS < packets < 0


def look_up(names: int) -> int:
    """The `packets` of a look-up that tries so many names, each with a question for IPv4 and one for IPv6 to one of the
    servers. All must be answered: resolvers ask again after 5 s, when the check has ended."""
    return _LOOK_UPS - names


class Load(msgspec.Struct, frozen=True, cache_hash=True):
    """The way in which a trial crosses a part: its `packets` (or `BIG`, `stream`, `handshake`, `look_up`), how often
    each crosses the part (twice if it is both ways of a round trip), and the share of such trials, or names of a
    look-up, that cross it at all. Of a Service `by_server` are the same shares of what each of its servers is asked;
    empty where that is not known."""

    packets: int
    crossings: int = 1
    share: float = 1.0
    by_server: tuple[float, ...] = ()

    @classmethod
    def shared(cls, packets: int, crossings: int, shares: Shares) -> Load:
        """Return the load of trials of which these shares cross the part."""
        return cls(packets, crossings, mean_share(shares), shares if 1 < len(shares) <= MOST_SERVERS else ())


class Odds(msgspec.Struct, frozen=True, cache_hash=True):
    """The probabilities that a trial is bad, and that it is dead (a bad one of which nothing came through)."""

    bad: float
    dead: float


def lossy(load: Load, rate: float) -> Odds:
    """The odds of a trial where packets are lost at this rate."""
    lost = rate if load.crossings == 1 else 1 - (1 - rate) ** load.crossings
    if load.packets == READING:
        bad = 1 - _READ_BESIDE if rate >= _NOTHING_PASSES else 0.0
        return Odds(bad, bad)
    if load.packets < _LOOK_UPS:
        one = load.share * (1 - (1 - lost) ** 2)
        bad = min(1 - (1 - one) ** (_LOOK_UPS - load.packets), _HIGHEST)
        return Odds(bad, bad)
    odds = _odds(load.packets, lost)
    return Odds(min(odds.bad * load.share, _HIGHEST), min(odds.dead * load.share, _HIGHEST))


def failing(load: Load, rate: float) -> float:
    """The chance that a trial which crosses the part is bad, or that a name of a look-up is not answered."""
    packets = look_up(1) if load.packets < _LOOK_UPS else load.packets
    return lossy(Load(packets, load.crossings), rate).bad


def _odds(packets: int, lost: float) -> Odds:
    if packets < 0:
        told = may_be_bad_in_part(packets)
        tries = -packets - _MOST_TRIES if told else -packets
        dead = BURST_SHARE * lost + (1 - BURST_SHARE) * lost**tries
        return Odds(lost if told else dead, dead)
    if packets == BIG:
        return Odds(lost**3, lost**3)
    if packets == 1:
        return Odds(lost, lost)
    burst, single = BURST_SHARE * lost, 1 - BURST_SHARE
    return Odds(burst + single * (1 - (1 - lost) ** packets), burst + single * lost**packets)


def either(one: Odds, other: Odds) -> Odds:
    """The odds where either of two independent causes may strike."""
    return Odds(1 - (1 - one.bad) * (1 - other.bad), 1 - (1 - one.dead) * (1 - other.dead))

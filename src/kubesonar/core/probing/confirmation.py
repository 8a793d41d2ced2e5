"""Asking again after a bad trial: at once and for some seconds faster, so that a fault is told from a lost packet soon.

A loss that is everywhere must not become a storm: all that is asked besides comes from a bucket of packets, and what
the whole cluster asks together (DNS, the API server, the ingress) from what its budgets leave each agent.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from kubesonar.core.probing.budget import Spare
from kubesonar.core.probing.spare_buckets import SpareBuckets
from kubesonar.model import Check, Fault, Kind, Observation, Path, Side, syns_of

LASTS = 8.0
"""Seconds for which a member is asked faster after its latest bad trial. Shorter, and a loss of 10 % is not followed;
longer, and a lost packet costs more."""

PLAIN_LASTS = 30.0
"""The same of plain targets, which are asked more rarely. Shorter, and one that fails at times is not followed, nor
seen to be well again soon; longer, and a lost packet costs more."""

PLAIN_FAST = 1.5
"""Seconds between two checks of a plain target in doubt, as far as its budget pays for them. Shorter, and an answer is
not waited for; longer, and a small cluster takes half a minute to tell that 10 % of the requests fail no more."""

FAST = {
    Kind.UDP: 0.8,
    Kind.ICMP: 1.0,
    Kind.TCP: 2.0,
    Kind.HTTP: 2.5,
    Kind.MTU: 3.0,
}
"""Seconds between two checks of one kind while a member is in doubt. Shorter, and the bucket is empty before the fault
is clear; longer, and a fault of one kind takes three times as long to be told."""

SPAN = 30.0
"""Seconds over which packets besides are bounded. Shorter, and little can be asked at once; longer, and a storm has
room for more."""

MOST, MOST_FEW = 0.2, 2.0
"""Packets besides within any `SPAN`, as a share of the usual ones: of any member, and of one with at most `_FEW`
targets, where few look at each. No member knows how many others suspect something at the same time: so that all
together keep to a fifth more in a fault that everybody sees, each of them does. Higher, and such a fault costs the
cluster more; lower, and faults that many see are told as late as without."""

_FEW = 4

_STORED = 3.0
"""Seconds of usual packets that the bucket holds, for what is asked at once: half of what `MOST` allows. Higher, and
less is left for later; lower, and a pair is asked faster for fewer seconds."""

_SEVERAL = 3
"""Datagrams lost of one train that are more than a stray loss."""

_APART = 0.5
"""Seconds from a failure of a plain target to the next check of it, and between those of one target by several ways.
Shorter, and what fails within one moment is one event to the diagnosis; longer, and less is asked."""

_TURNS = 4
"""Checks that are so far apart; with more of them, those beyond share their times."""

_LEFT_TO_MEMBERS = 0.5
"""Share of the bucket that plain targets leave to members. Lower, and a server that fails leaves nothing for a pair
that loses packets; higher, and such a server is asked for fewer seconds."""

_RETRY = 0.5
"""Seconds until plain targets are tried again for which the budgets had nothing left. Longer, and they are asked more
rarely than the budgets allow; shorter, and the agent wakes up for nothing."""

_PACKETS = {Kind.UDP: 16, Kind.ICMP: 2, Kind.TCP: 7, Kind.HTTP: 12, Kind.MTU: 40, Kind.DNS: 10, Kind.TLS: 14}
_OF_SIZE = frozenset({Kind.UDP, Kind.MTU})
_MEMBERS = frozenset({Path.POD, Path.HOST})
_CLUSTER_DNS = frozenset({Path.DNS_SERVICE, Path.DNS_POD})


def is_suspicious(observation: Observation) -> bool:
    """Return whether it is a reason to ask again: a fault that accuses the target, or datagrams or SYNs without an
    answer."""
    if observation.side is not Side.SOURCE:
        return False
    if observation.fault is not None:
        return observation.fault.accuses
    return observation.received < observation.sent or syns_of(observation) > 1 or _lost_big_one(observation)


def is_about_size(observation: Observation) -> bool:
    """Return whether a suspicious observation is about big packets: a check of these, or a train of which nothing was
    lost but the datagram that fills the path's MTU."""
    return observation.check.kind is Kind.MTU or _lost_big_one(observation)


def _lost_big_one(observation: Observation) -> bool:
    """Return whether all of a train came back but the datagram that fills the path's MTU."""
    train = observation.train
    return train is not None and train.full_lost and observation.received == observation.sent


class Confirmation:
    """Decides which checks to make besides the usual ones, and when. Times are seconds of a clock that never goes
    back."""

    def __init__(self) -> None:
        self._by_target: dict[str, list[Check]] = {}
        self._until: dict[str, float] = {}
        self._partly: dict[tuple[str, bool], float] = {}
        """The time when a datagram was lost last, by target and whether that was the one that fills the path's MTU."""
        self._queue: list[tuple[float, str]] = []
        self._queued: set[str] = set()
        self._waiting: list[str] = []
        """Checks of plain targets that are due and that the budgets do not pay for yet, the longest first."""
        self._tried = 0.0
        self._checks: dict[str, Check] = {}
        self._budgets = SpareBuckets(Spare(), 0.0)
        self._usual = 0.0
        self._share = 0.0
        self._left = 0.0
        self._filled = 0.0

    @property
    def due(self) -> float | None:
        """The time when a check is due next, None for never."""
        times = [self._queue[0][0]] if self._queue else []
        times += [self._tried + _RETRY] if self._waiting else []
        return min(times, default=None)

    def replace(self, now: float, checks: Iterable[Check], spare: Spare) -> None:
        """Take these checks for the usual ones from now on; `spare` is what their budgets leave."""
        before = self._usual
        self._fill(now)
        paid = {name for name, cost in spare.costs.items() if cost.keys() <= spare.rates.keys()}
        asked = (check for check in checks if check.path in _MEMBERS or check.id in paid)
        self._checks = {check.id: check for check in asked if check.kind in _PACKETS}
        self._budgets = SpareBuckets(spare, now)
        self._by_target = {}
        self._partly = {}
        for check in self._checks.values():
            self._by_target.setdefault(check.target, []).append(check)
        members = [check for check in self._checks.values() if check.path in _MEMBERS]
        self._usual = sum(_PACKETS[check.kind] / check.period for check in members)
        most = MOST_FEW if len({check.target for check in members}) <= _FEW else MOST
        self._share = most - _STORED / SPAN
        self._left = min(self._left, _STORED * self._usual) if before else _STORED * self._usual
        self._queue = [(when, name) for when, name in self._queue if name in self._checks]
        self._waiting = [name for name in self._waiting if name in self._checks]
        self._queued = {name for _, name in self._queue} | {*self._waiting}
        heapq.heapify(self._queue)

    def note(self, now: float, observation: Observation) -> None:
        """Have the target asked again where this observation is bad."""
        check = observation.check
        if check.id not in self._checks or not is_suspicious(observation):
            return
        if check.path not in _MEMBERS:
            self._note_plain(now, observation)
            return
        size = is_about_size(observation)
        again = now - self._partly.get((check.target, size), float("-inf")) < LASTS
        if observation.fault is None and not again and observation.sent - observation.received < _SEVERAL:
            self._partly[check.target, size] = now
            if syns_of(observation):  # connections are so few that one more would hardly tell
                self._until[check.target] = now + LASTS
            self._ask(now, check)  # one more look at a lost packet; all that is asked only if more are lost
            return
        self._until[check.target] = now + LASTS
        for other in self._by_target[check.target]:
            if other.kind in _OF_SIZE if size else other.kind is not Kind.MTU:
                self._ask(now, other)

    def take(self, now: float) -> list[Check]:
        """The checks to make now."""
        if not self._waiting and not (self._queue and self._queue[0][0] <= now):
            return []
        self._fill(now)
        names, self._waiting = self._waiting, []
        while self._queue and self._queue[0][0] <= now:
            names.append(heapq.heappop(self._queue)[1])
        self._tried = now
        self._budgets.fill(now)
        found = []
        for name in names:
            self._queued.discard(name)
            check = self._checks[name]
            lasts = now < self._until.get(check.target, 0.0)
            if self._pay(check):
                found.append(check)
                if lasts:
                    self._push(now + _fast(check), check)
            elif check.path not in _MEMBERS and lasts:  # a member is asked at its usual times all the same
                self._waiting.append(name)
                self._queued.add(name)
        return found

    def _fill(self, now: float) -> None:
        """Put into the bucket of packets what has come together since the last time."""
        self._left = min(self._left + (now - self._filled) * self._usual * self._share, _STORED * self._usual)
        self._filled = now

    def _pay(self, check: Check) -> bool:
        """Take from the buckets what the check costs, where they have it."""
        packets = _PACKETS[check.kind]
        if check.path in _MEMBERS:
            paid = self._left >= packets
        else:
            kept = _LEFT_TO_MEMBERS * _STORED * self._usual
            paid = self._left - kept >= packets and self._budgets.pay(check.id)
        if paid:
            self._left -= packets
        return paid

    def _note_plain(self, now: float, observation: Observation) -> None:
        """Have a plain target asked again. What a failed look-up, or a DNS Service, accuses are the DNS servers."""
        check = observation.check
        of_dns = observation.fault is Fault.UNRESOLVED or check.path is Path.DNS_SERVICE
        doubted = [] if observation.fault is Fault.UNRESOLVED else list(self._by_target[check.target])
        if of_dns:
            doubted += [other for other in self._checks.values() if other.path in _CLUSTER_DNS]
        for place, other in enumerate({other.id: other for other in doubted}.values()):
            self._until[other.target] = now + PLAIN_LASTS
            self._ask(now + _APART * (1 + place % _TURNS), other)

    def _ask(self, when: float, check: Check) -> None:
        if check.id not in self._queued and check.period > _fast(check):
            self._push(when, check)

    def _push(self, when: float, check: Check) -> None:
        self._queued.add(check.id)
        heapq.heappush(self._queue, (when, check.id))


def _fast(check: Check) -> float:
    """Return the seconds between two checks while the target is in doubt."""
    return FAST[check.kind] if check.path in _MEMBERS else PLAIN_FAST

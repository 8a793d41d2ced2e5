"""Elects one of several replicas by a record in the store that they share, and fences the writes of the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.net.clock import Clock
from kubesonar.runtime.logs import Changes
from kubesonar.stores.store import READ_LIMIT, Change, Guard, Put, Store, StoredRecord, StoreRefused, StoreUnavailable

if TYPE_CHECKING:
    from random import Random

_LOG = logging.getLogger("kubesonar.stores")

LEADER_KIND = "leader"
_HOLDER, _BEAT = "holder", "beat"

_RENEWALS = 3
"""Renewals within the duration of a leadership, so that one may fail. More burden the store."""

_JITTER = 0.2
"""Random share by which the pause between two renewals is shortened."""


class StoredLeader(msgspec.Struct, frozen=True):
    """The replica that leads (empty: none does), and a number that grows with each leader."""

    holder: str
    term: int


class _Beat(msgspec.Struct, frozen=True):
    number: int


class StoreElection:
    """Tries to lead as `name`, once it `run`s. Two records say who leads and how often that was renewed; a leader whose
    renewals were not seen for `duration` seconds of the own clock is replaced, unless `hold_back` returns True, so
    that clocks need not agree.

    `renewed` is when the last renewal that succeeded began (monotonic seconds), minus infinity once another leads;
    `current` is the leader that was seen last, and `term` its number."""

    def __init__(
        self, store: Store, name: str, hold_back: Callable[[], bool], clock: Clock, rng: Random, duration: float
    ) -> None:
        self.renewed = -inf
        self.current = ""
        self.term = 0
        self._store = store
        self._name = name
        self._hold_back = hold_back
        self._clock = clock
        self._rng = rng
        self._duration = duration
        self._own: bytes | None = None
        self._seen: tuple[bytes | None, bytes | None] = None, None
        self._since = -inf
        self._changes = Changes(_LOG)

    @property
    def guard(self) -> Guard | None:
        """The condition of a leader's writes: that it still leads. None while this replica does not."""
        return None if self._own is None else Guard(LEADER_KIND, _HOLDER, self._own)

    async def run(self) -> None:
        """Lead whenever nobody else does, for ever."""
        while True:
            try:
                await self._step()
                self._changes.note("the leader's record", "")
            except (StoreUnavailable, StoreRefused) as error:
                self._changes.note("the leader's record", str(error))
            await asyncio.sleep(self._duration / _RENEWALS * (1 - _JITTER * self._rng.random()))

    async def release(self) -> None:
        """Let another lead at once. A failure is logged only."""
        guard, self._own, self.renewed = self.guard, None, -inf
        if guard is None:
            return
        try:
            await self._store.write([Put(LEADER_KIND, _HOLDER, encode_json(StoredLeader("", self.term)))], guard)
        except (StoreUnavailable, StoreRefused) as error:
            _LOG.info("the leadership could not be released: %s", error)

    async def _step(self) -> None:
        began = self._clock.mono()
        seen = await self._store.get(LEADER_KIND, _HOLDER), await self._store.get(LEADER_KIND, _BEAT)
        leader, beat = _leader(seen[0]), _number(seen[1])
        if leader.holder == self._name:
            taken = await self._write([Put(LEADER_KIND, _BEAT, encode_json(_Beat(beat + 1)))], seen[0])
            self._saw(leader, seen[0] if taken else None, began)
            return
        if seen != self._seen:
            self._seen, self._since = seen, self._clock.mono()
        expired = not leader.holder or self._clock.mono() - self._since >= self._duration
        if not expired or self._hold_back():
            self._saw(leader, None, began)
            return
        own = StoredLeader(self._name, leader.term + 1)
        value = encode_json(own)
        taken = await self._write(
            [Put(LEADER_KIND, _HOLDER, value), Put(LEADER_KIND, _BEAT, encode_json(_Beat(0)))], seen[0]
        )
        self._saw(own if taken else leader, value if taken else None, began)

    async def _write(self, changes: list[Change], holder: bytes | None) -> bool:
        return await self._store.write(changes, Guard(LEADER_KIND, _HOLDER, holder))

    def _saw(self, leader: StoredLeader, own: bytes | None, began: float) -> None:
        self.current, self.term, self._own = leader.holder, leader.term, own
        self.renewed = -inf if own is None else began


class FencedStore:
    """The store of a replica that writes only while `election` has it lead: a write on which another has begun to lead
    is unavailable and changes nothing. See `Store`."""

    def __init__(self, store: Store, election: StoreElection) -> None:
        self._store = store
        self._election = election

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        """As `Store.write`; the only guard is that this replica leads."""
        fence = self._election.guard
        if guard is not None:
            raise StoreRefused("a fenced store has a guard of its own")
        if fence is None or not await self._store.write(changes, fence):
            raise StoreUnavailable("another replica leads")
        return True

    async def get(self, kind: str, name: str) -> bytes | None:
        """As `Store.get`."""
        return await self._store.get(kind, name)

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        """As `Store.read`."""
        return await self._store.read(kind, prefix=prefix, after=after, limit=limit)

    async def close(self) -> None:
        """As `Store.close`."""
        await self._store.close()


def _leader(value: bytes | None) -> StoredLeader:
    """Return what the record says; one that cannot be read names nobody."""
    try:
        return StoredLeader("", 0) if value is None else decode_json(value, StoredLeader)
    except Undecodable:
        return StoredLeader("", 0)


def _number(value: bytes | None) -> int:
    try:
        return 0 if value is None else decode_json(value, _Beat).number
    except Undecodable:
        return 0

"""The store that ends with its process: for tests, and for a collector that may forget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from kubesonar.net.clock import Clock
from kubesonar.stores.store import (
    READ_LIMIT,
    Change,
    Guard,
    Put,
    StoredRecord,
    StoreRefused,
    check_name,
    check_read,
    check_write,
    last_changes,
)

_Key = tuple[str, str]


class MemoryStore:
    """Keeps at most `limit` bytes of values. A write beyond drops records that have a time to live, those first that
    would be gone first; where that is not enough it is refused with `StoreRefused`, so that what has no time to live is
    never lost. `dropped` counts records dropped."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self.dropped = 0
        self._limit = limit
        self._clock = clock
        self._values: dict[_Key, bytes] = {}
        self._ends: dict[_Key, float] = {}
        self._queue: list[tuple[float, _Key]] = []
        self._size = 0

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        """As `Store.write`; nothing is durable."""
        check_write(changes, guard)
        self._expire()
        if guard is not None and self._values.get((guard.kind, guard.name)) != guard.value:
            return False
        last = last_changes(changes)
        self._make_room(last)
        for key, change in last.items():
            self._remove(key)
            if isinstance(change, Put):
                self._add(key, change)
        return True

    async def get(self, kind: str, name: str) -> bytes | None:
        """As `Store.get`."""
        check_name(kind, name)
        self._expire()
        return self._values.get((kind, name))

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        """As `Store.read`."""
        check_read(kind, prefix, after, limit)
        self._expire()
        names = sorted(name for its, name in self._values if its == kind and name.startswith(prefix))
        return [StoredRecord(name, self._values[kind, name]) for name in names[bisect_right(names, after) :][:limit]]

    async def close(self) -> None:
        """Forget everything."""
        self._values, self._ends, self._queue, self._size = {}, {}, [], 0

    def _expire(self) -> None:
        """Remove what has ended, by a queue in which a record that was put again has older entries too."""
        now = self._clock.mono()
        while self._queue and self._queue[0][0] <= now:
            end, key = heappop(self._queue)
            if self._ends.get(key) == end:
                self._remove(key)
        if len(self._queue) > 2 * len(self._ends) + 64:
            self._queue = sorted((end, key) for key, end in self._ends.items())

    def _make_room(self, changes: Mapping[_Key, Change]) -> None:
        size = self._size + sum(
            (len(change.value) if isinstance(change, Put) else 0) - len(self._values.get(key, b""))
            for key, change in changes.items()
        )
        victims = []
        for key in sorted(self._ends.keys() - changes.keys(), key=self._ends.__getitem__) if size > self._limit else ():
            victims.append(key)
            size -= len(self._values[key])
            if size <= self._limit:
                break
        if size > self._limit:
            raise StoreRefused(f"the store is full: at most {self._limit} bytes fit")
        self.dropped += len(victims)
        for key in victims:
            self._remove(key)

    def _add(self, key: _Key, put: Put) -> None:
        self._values[key] = put.value
        self._size += len(put.value)
        if put.time_to_live is not None:
            self._ends[key] = end = self._clock.mono() + put.time_to_live
            heappush(self._queue, (end, key))

    def _remove(self, key: _Key) -> None:
        self._size -= len(self._values.pop(key, b""))
        self._ends.pop(key, None)

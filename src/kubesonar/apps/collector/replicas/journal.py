"""The incidents that this replica holds, up to which position, and the latest changes for followers that lack them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from kubesonar.apps.collector.replicas.wire import REPLICA_SCHEMA, Position, Push
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.encoding import encode_json

_CHANGES = 256
"""Changes that are held for followers; one that lacks more gets a copy of everything. More, and they take memory."""

_PAGE_BYTES = 1 << 20
"""Bytes of incidents from which on a page of a copy is full. More, and a page exceeds what a replica takes in one
request; fewer, and a copy takes more round trips."""


class Keep(Protocol):
    """Writes to the own store what is `new`, what is `gone` (by id), and the position up to which that is all."""

    def __call__(self, new: Collection[IncidentRecord], gone: Collection[str], position: Position) -> None: ...


class Journal:
    """What the replica `name` holds of the incidents of `log`, with the position up to which that is all. `keep` writes
    to the store; with a `shared` one only a leader writes. `whole` tells that a copy of everything is needed to
    follow: after a start the store may hold more than the position says."""

    def __init__(self, name: str, log: IncidentLog, keep: Keep, *, shared: bool) -> None:
        self.position = Position()
        self.whole = True
        self._name = name
        self._log = log
        self._keep = keep
        self._shared = shared
        self._changes: deque[tuple[Position, Position, tuple[IncidentRecord, ...]]] = deque(maxlen=_CHANGES)
        self._pages: list[Push] = []

    def begin(self, term: int) -> None:
        """Lead in this term, with what is held."""
        self._advance(Position(term), ())

    def append(self, incidents: Collection[IncidentRecord]) -> None:
        """Take note of what became of incidents by the leader's decision."""
        self._advance(Position(self.position.term, self.position.number + 1), incidents)

    def since(self, held: Position | None) -> Iterator[Push]:
        """Yield what a follower that holds everything up to `held` (None: nothing) is to be pushed, one push at
        least."""
        lacking = [records for before, _, records in self._changes if held is not None and before >= held]
        if held != self.position and all(before != held for before, _, _ in self._changes):
            yield from self.copy()
            return
        new = {one.id: one for records in lacking for one in records}
        yield Push(REPLICA_SCHEMA, self._name, self.position, held, incidents=tuple(new.values()))

    def copy(self) -> Iterator[Push]:
        """Yield everything that is held, in pages, one at least."""
        pages = list(_pages(self._log.records.values()))
        for number, page in enumerate(pages):
            last = number == len(pages) - 1
            yield Push(REPLICA_SCHEMA, self._name, self.position, None, number, last, page)

    def take(self, push: Push, now: float) -> None:
        """Take over at `now` (Unix seconds) what was pushed, where it follows on what is held; a copy once its last
        page has come."""
        if push.base is not None:
            if push.base == self.position and not self.whole:
                self._take(push.incidents, (), push.position, now)
            return
        self._pages = [*(self._pages if push.page else ()), push]
        if [page.page for page in self._pages] != list(range(push.page + 1)):
            self._pages = []
        elif push.last and len({page.position for page in self._pages}) == 1:
            records = {one.id: one for page in self._pages for one in page.incidents}
            self._pages = []
            self._take(records.values(), self._log.records.keys() - records.keys(), push.position, now)
            self.whole = False

    def _advance(self, position: Position, incidents: Collection[IncidentRecord]) -> None:
        self._changes.append((self.position, position, tuple(incidents)))
        self.position = position
        self.whole = False
        self._keep(incidents, (), position)

    def _take(self, new: Collection[IncidentRecord], gone: Collection[str], position: Position, now: float) -> None:
        changed = bool(new or gone) or position != self.position
        if new or gone:
            records: Mapping[str, IncidentRecord] = self._log.records | {one.id: one for one in new}
            self._log.follow((one for id, one in records.items() if id not in gone), now)
        self._changes.clear()
        self.position = position
        if changed and not self._shared:
            self._keep(new, gone, position)


def _pages(records: Iterable[IncidentRecord]) -> Iterator[tuple[IncidentRecord, ...]]:
    page: list[IncidentRecord] = []
    size = 0
    for record in records:
        page.append(record)
        size += len(encode_json(record))
        if size >= _PAGE_BYTES:
            yield tuple(page)
            page, size = [], 0
    yield tuple(page)

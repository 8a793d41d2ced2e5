"""The incidents and notices that this replica holds, up to which position, and the latest changes for followers."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol, TypeVar

from kubesonar.apps.collector.replicas.wire import REPLICA_SCHEMA, Position, Push, Records
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook, NoticeRecord
from kubesonar.core.encoding import encode_json

_CHANGES = 256
"""Changes that are held for followers; one that lacks more gets a copy of everything. More, and they take memory."""

_PAGE_BYTES = 1 << 20
"""Bytes of records from which on a page of a copy is full. More, and a page exceeds what a replica takes in one
request; fewer, and a copy takes more round trips."""


class Keep(Protocol):
    """Writes to the own store what is `new`, which incidents and notices are `gone` (by id), and the position up to
    which that is all."""

    def __call__(self, new: Records, gone: tuple[Collection[str], Collection[str]], position: Position) -> None: ...


class Journal:
    """The records that the replica `name` holds: the incidents of `log` and the notices of `book`, with the position up
    to which that is all. `keep` writes to the store; with a `shared` one only a leader writes. `whole` tells that a
    copy of everything is needed to follow: after a start the store may hold more than the position says."""

    def __init__(self, name: str, log: IncidentLog, book: NoticeBook, keep: Keep, *, shared: bool) -> None:
        self.position = Position()
        self.whole = True
        self._name = name
        self._log = log
        self._book = book
        self._keep = keep
        self._shared = shared
        self._changes: deque[tuple[Position, Position, Records]] = deque(maxlen=_CHANGES)
        self._pages: list[Push] = []

    def loaded(self, position: Position) -> None:
        """Take note of the position up to which the own store held everything when its records were loaded."""
        self.position = position

    def begin(self, term: int) -> None:
        """Lead in this term, with what is held."""
        self._advance(Position(term), Records())

    def append(self, records: Records) -> None:
        """Take note of what the leader has decided, and remember its notices."""
        self._book.take(records.notices)
        self._advance(Position(self.position.term, self.position.number + 1), records)

    def since(self, held: Position | None) -> Iterator[Push]:
        """Yield what a follower that holds everything up to `held` (None: nothing) is to be pushed, one push at
        least."""
        if held is None or (held != self.position and all(before != held for before, _, _ in self._changes)):
            yield from self.copy()
            return
        lacking = [records for before, _, records in self._changes if before >= held]
        new = Records(
            _latest(one for records in lacking for one in records.incidents),
            _latest(one for records in lacking for one in records.notices),
        )
        yield Push(REPLICA_SCHEMA, self._name, self.position, held, records=new)

    def copy(self) -> Iterator[Push]:
        """Yield everything that is held, in pages, one at least."""
        pages = [
            *(Records(incidents=page) for page in _pages(self._log.records.values())),
            *(Records(notices=page) for page in _pages(self._book.records.values())),
        ] or [Records()]
        for number, page in enumerate(pages):
            yield Push(REPLICA_SCHEMA, self._name, self.position, None, number, number == len(pages) - 1, page)

    def take(self, push: Push, now: float) -> None:
        """Take over at `now` (Unix seconds) what was pushed, where it follows on what is held; a copy once its last
        page has come."""
        if push.base is not None:
            if push.base == self.position and not self.whole:
                self._take(push.records, ((), ()), push.position, now)
            return
        self._pages = [*(self._pages if push.page else ()), push]
        if [page.page for page in self._pages] != list(range(push.page + 1)):
            self._pages = []
        elif push.last and len({page.position for page in self._pages}) == 1:
            new = Records(
                _latest(one for page in self._pages for one in page.records.incidents),
                _latest(one for page in self._pages for one in page.records.notices),
            )
            self._pages = []
            gone = (
                self._log.records.keys() - {one.id for one in new.incidents},
                self._book.records.keys() - {one.id for one in new.notices},
            )
            self._take(new, gone, push.position, now)
            self.whole = False

    def _advance(self, position: Position, records: Records) -> None:
        self._changes.append((self.position, position, records))
        self.position = position
        self.whole = False
        self._keep(records, ((), ()), position)

    def _take(
        self, new: Records, gone: tuple[Collection[str], Collection[str]], position: Position, now: float
    ) -> None:
        changed = bool(new or any(gone)) or position != self.position
        if new.incidents or gone[0]:
            records = self._log.records | {one.id: one for one in new.incidents}
            self._log.follow((one for id, one in records.items() if id not in gone[0]), now)
        self._book.take(new.notices, gone[1])
        self._changes.clear()
        self.position = position
        if changed and not self._shared:
            self._keep(new, gone, position)


Record = TypeVar("Record", IncidentRecord, NoticeRecord)


def _latest(records: Iterable[Record]) -> tuple[Record, ...]:
    """Return the last record of each id."""
    return tuple({one.id: one for one in records}.values())


def _pages(records: Iterable[Record]) -> Iterator[tuple[Record, ...]]:
    page: list[Record] = []
    size = 0
    for record in records:
        page.append(record)
        size += len(encode_json(record))
        if size >= _PAGE_BYTES:
            yield tuple(page)
            page, size = [], 0
    if page:
        yield tuple(page)

"""A round of the bully election: call higher-ranked members in batches, then a few lower-ranked ones."""

from __future__ import annotations

from collections.abc import Container

from kubesonar.core.membership.member_view import MemberView

BATCH = 3
"""Members called at one time. With fewer, dead members of high rank delay the election; with more, it costs more
messages."""

SKIP_PERIOD = 5.0
"""Seconds for which a member that did not answer a call is not called again: longer than a round takes, so that each
round gets further."""


class ElectionRound:
    """`open` while a round is held. `number` is that of the calls sent last, `called` those of them that have not
    answered, `last` whether these rank behind the caller."""

    __slots__ = ("_place", "_skipped", "called", "last", "number", "open")

    def __init__(self) -> None:
        self.number = 0
        self.open = False
        self.called: list[str] = []
        self.last = False
        self._place = 0
        self._skipped: dict[str, float] = {}

    def begin(self) -> None:
        """Start from the highest rank."""
        self.open = True
        self.last = False
        self._place = 0

    def close(self) -> None:
        """End the round: it is decided."""
        self.open = False

    def next_batch(self, now: float, view: MemberView, caller: str) -> list[str]:
        """The members to call next; empty when all were called."""
        place = view.place(caller)
        self.called = []
        while self._place < place and len(self.called) < BATCH:
            self._add(now, view.ranked[self._place])
            self._place += 1
        if not self.called and not self.last:
            self.last = True  # they may hear a coordinator whose way to the caller alone is broken
            for name in view.ranked[place + 1 : place + 1 + 4 * BATCH]:
                if len(self.called) < BATCH:
                    self._add(now, name)
        self.number += 1
        return self.called

    def awaits(self, source: str, number: int) -> bool:
        """Whether an answer of that number from `source` is waited for."""
        return self.current(number) and source in self.called

    def current(self, number: int) -> bool:
        """Whether the calls of that number are the last ones of an open round."""
        return self.open and number == self.number

    def declined(self, now: float, source: str) -> None:
        """Note that one that was called neither hears a coordinator nor can be it."""
        self.called.remove(source)
        if not self.last:
            self.skip(now, source)

    def settle(self) -> int:
        """Wait for one that was called to take the office, and ignore what the others answer. Returns the number by
        which to ask `current` later."""
        self.number += 1
        return self.number

    def skip(self, now: float, *names: str) -> None:
        """Do not call these members for `SKIP_PERIOD`."""
        self._skipped.update(dict.fromkeys(names, now + SKIP_PERIOD))

    def retain(self, members: Container[str]) -> None:
        """Forget all but these members."""
        self._skipped = {name: until for name, until in self._skipped.items() if name in members}

    def _add(self, now: float, name: str) -> None:
        if self._skipped.get(name, now) <= now:
            self.called.append(name)

"""Whom a member calls that hears no coordinator: a few at a time, first in rank first, last of all some behind it."""

from __future__ import annotations

from collections.abc import Container

from kubesonar.core.membership.member_view import MemberView

CALLED = 3
"""Members called at one time."""

SHUNNED = 5.0
"""Who did not answer a call is not called again for so long (s)."""


class Ballot:
    """`open` while one is held. `number` is that of the calls sent last, `called` those of them that have not answered,
    `last` whether these rank behind the caller."""

    __slots__ = ("_place", "_shunned", "called", "last", "number", "open")

    def __init__(self) -> None:
        self.number = 0
        self.open = False
        self.called: list[str] = []
        self.last = False
        self._place = 0
        self._shunned: dict[str, float] = {}

    def begin(self) -> None:
        """Starts from the first in rank."""
        self.open = True
        self.last = False
        self._place = 0

    def close(self) -> None:
        """It is decided."""
        self.open = False

    def next_call(self, now: float, electorate: MemberView, caller: str) -> list[str]:
        """Whom to call next; nobody when all were."""
        place = electorate.place(caller)
        self.called = []
        while self._place < place and len(self.called) < CALLED:
            self._add(now, electorate.ranked[self._place])
            self._place += 1
        if not self.called and not self.last:
            self.last = True  # they may hear a coordinator whose way to the caller alone is broken
            for name in electorate.ranked[place + 1 : place + 1 + 4 * CALLED]:
                if len(self.called) < CALLED:
                    self._add(now, name)
        self.number += 1
        return self.called

    def concerns(self, source: str, number: int) -> bool:
        """Whether an answer of that number from `source` is waited for."""
        return self.open and number == self.number and source in self.called

    def current(self, number: int) -> bool:
        """Whether this is still the call that is waited for."""
        return self.open and number == self.number

    def answered(self, now: float, source: str) -> None:
        """One that was called neither hears a coordinator nor can be it."""
        self.called.remove(source)
        if not self.last:
            self.shun(now, source)

    def awaits(self) -> int:
        """One that was called will do: what the others answer does not matter any more. Returns the number to ask
        `current` for later."""
        self.number += 1
        return self.number

    def shun(self, now: float, *names: str) -> None:
        """These are not called for a while."""
        self._shunned.update(dict.fromkeys(names, now + SHUNNED))

    def forget(self, members: Container[str]) -> None:
        """Only these are members now."""
        self._shunned = {name: until for name, until in self._shunned.items() if name in members}

    def _add(self, now: float, name: str) -> None:
        if self._shunned.get(name, now) <= now:
            self.called.append(name)

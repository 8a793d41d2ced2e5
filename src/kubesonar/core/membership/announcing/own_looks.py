"""Has a coordinator look at a member itself before it announces: one key signs for all, so the words of others prove
little, and a fresh probe that the member answers at its roster's address proves much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.events import HostProbed, ProbeHost
from kubesonar.core.membership.messages import Reachability
from kubesonar.model import Condition

LOOK_TIMEOUT = 0.5
"""Seconds that a look takes at most: as long as a claim waits (`announcing.settle`). With less a slow member is
announced, with more announcements are late."""

LOOK_VALID = 2.0
"""Seconds after which a look is no more of "this moment", and is repeated. Less costs probes where announcements wait;
with more, a member is announced that is back."""

LOOKS = 256
"""Most looks under way at one time: a bound on probes when many members are claimed to be dead at once."""

_SILENT_AGENT = frozenset({Reachability.SILENT, Reachability.KERNEL, Reachability.REFUSED, Reachability.STRANGER})
_CONFIRM = {
    Condition.DEAD: frozenset({Reachability.SILENT}),
    Condition.GONE: _SILENT_AGENT,
    Condition.FROZEN: _SILENT_AGENT,
    Condition.BACK: frozenset({Reachability.AGENT}),
}


class _Look:
    __slots__ = ("began", "number", "result")

    def __init__(self, number: int, began: float) -> None:
        self.number = number
        self.began = began
        self.result: Reachability | None = None


class OwnLooks:
    """The latest look at each member. Numbers are negative, so that none is that of a suspicion's probe."""

    def __init__(self, emit: Callable[[Any], None]) -> None:
        self._emit = emit
        self._number = 0
        self._looks: dict[str, _Look] = {}

    def clear(self) -> None:
        """Forget all looks."""
        self._looks.clear()

    def look(self, now: float, name: str) -> None:
        """Look at a member, unless that was done at this moment."""
        self._looks = {known: look for known, look in self._looks.items() if now - look.began <= LOOK_VALID}
        if name not in self._looks and len(self._looks) < LOOKS:
            self._number -= 1
            self._looks[name] = _Look(self._number, now)
            self._emit(ProbeHost(self._number, name, LOOK_TIMEOUT))

    def take(self, event: HostProbed) -> bool:
        """Take over a result; return whether it belongs to a look."""
        look = self._looks.get(event.target)
        if look is None or look.number != event.number:
            return False
        look.result = event.reachability
        return True

    def confirmed(self, now: float, name: str, what: Condition) -> bool | None:
        """Return whether a look of this moment agrees that this is a member's condition, None where there is none or it
        could not tell."""
        look = self._looks.get(name)
        if look is None or now - look.began > LOOK_VALID or look.result in (None, Reachability.UNABLE):
            return None
        return look.result in _CONFIRM.get(what, ())

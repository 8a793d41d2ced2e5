"""Keeps when nodes were in which state, announced or said of them, for a timeline beside incidents."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from kubesonar.model import Member, State

_MOST = 1000
"""Spans that are remembered after their end; the oldest is forgotten. Fewer, and a rollout of a large cluster hides
what was before it; more, and they take memory."""


class StateSpan(msgspec.Struct, frozen=True):
    """A time in which the members of a `place` (a node, or a member whose node is not known) were in a state other than
    serving, and why. `until` is None while it lasts. Times are Unix seconds."""

    place: str
    state: State
    reason: str
    since: float
    until: float | None = None


class StateLog:
    """The spans of all members since this log was made."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, State], StateSpan] = {}
        self._closed: deque[StateSpan] = deque(maxlen=_MOST)

    def step(self, now: float, members: Iterable[Member]) -> None:
        """Take the states that rosters give now (Unix seconds). A place that two rosters put into two states is in
        both."""
        present = {
            (member.node or member.name, member.state): member
            for member in members
            if member.state is not State.SERVING
        }
        for key in self._open.keys() - present.keys():
            self._closed.append(msgspec.structs.replace(self._open.pop(key), until=now))
        for key in present.keys() - self._open.keys():
            member = present[key]
            began = min(now, member.since) if member.since else now
            self._open[key] = StateSpan(*key, reason=member.reason, since=began)

    def spans(self, since: float) -> list[StateSpan]:
        """Return the spans that lasted after `since` (Unix seconds), by their beginning."""
        known = [*self._closed, *self._open.values()]
        return sorted(
            (span for span in known if span.until is None or span.until >= since), key=lambda span: span.since
        )

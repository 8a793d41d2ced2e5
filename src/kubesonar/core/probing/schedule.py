"""Decides when each check is made: a machine that takes the set of checks and returns those that are due.

Each check keeps its phase within its period. The phase is a hash of source and check, not the time of the start, so
that the trains of all members spread over the period and a rollout does not line them up. Whoever drives it launches
what is due in ticks: a wake-up for every probe costs 2.5 to 4 times the CPU of a batch (bench/results/scale.md).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Container, Iterable, Mapping
from operator import itemgetter
from typing import Annotated

import msgspec

from kubesonar.core.hash_ring import place
from kubesonar.core.probing.budget import Spare
from kubesonar.core.probing.confirmation import Confirmation
from kubesonar.model import Check, Kind, Observation

_ROUNDING = 1e-6
"""Seconds by which the sum of many periods may differ from the time that was reckoned before. More than the rounding of
a clock that counts years, less than any tick."""

_SHORTEST = 0.05
"""Shortest period (s). Shorter, and a check would be due again before it could be made."""


TOGETHER = 0.5
"""Seconds before its time at which an agent makes a check together with another one. Longer, and what befalls an agent
for a moment befalls more of its trials or fewer; shorter, and an agent at rest takes more CPU (docs/decisions)."""

_EARLIEST = 0.2
"""Share of its period by which a check is made before its time at most, so that its trials stay spread."""

_time = itemgetter(0)

_STAMPED = frozenset({Kind.UDP, Kind.ICMP, Kind.MTU})
"""Kinds whose answers the kernel stamps, so that it does not matter what else this process does then."""


class ScheduleOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The spread of probes over time."""

    members: Annotated[
        int, msgspec.Meta(ge=1, le=1000, description="How many other members each member probes (k of the ring).")
    ] = 10


class Plan(msgspec.Struct, frozen=True):
    """The checks of one agent, and what their budgets leave for asking again."""

    checks: tuple[Check, ...]
    spare: Spare = Spare()


class Schedule:
    """The machine: its event is a plan or an observation of one of its checks (None: time has passed), its actions are
    the checks to make now.

    A check that is in the plan before as well keeps its phase. A check that was due several times while the process did
    not run is made once. Checks whose answers the kernel stamps are made `together` seconds before their time where
    another one of these is due: caches are warm then. None is made later for it, and none more often or more rarely.
    """

    def __init__(self, source: str, together: float = 0.0) -> None:
        self._source = source
        self._together = together
        self._checks: Mapping[str, Check] = {}
        self._phases: Mapping[str, float] = {}
        """Seconds of each check's period that have passed when it is made."""
        self._queue: list[tuple[float, str]] = []
        """Times at which checks are due next, in ascending order, with their ids."""
        self._confirmation = Confirmation()

    @property
    def due(self) -> float | None:
        """The next time (seconds of the clock of `step`) at which a check is due, None without checks."""
        again = self._confirmation.due
        if not self._queue:
            return again
        usual = self._queue[0][0]
        return usual if again is None or usual < again else again

    def step(self, now: float, event: Plan | Observation | None = None) -> list[Check]:
        """Return the checks to make at `now` (seconds of a clock that never goes back)."""
        if isinstance(event, Observation):
            self._confirmation.note(now, event)
        elif event is not None:
            self._replace(now, event.checks)
            self._confirmation.replace(now, self._checks.values(), event.spare)
        launched = [self._launch(now, turn) for turn in self._until(now)]
        if self._together and any(check.kind in _STAMPED for check in launched):
            launched += self._company(now, {check.id for check in launched})
        return launched + self._confirmation.take(now)

    def _until(self, when: float) -> list[tuple[float, str]]:
        """Return the turns up to that time."""
        return self._queue[: bisect_right(self._queue, when, key=_time)]

    def _launch(self, now: float, turn: tuple[float, str]) -> Check:
        """Take this turn out of the queue, and put the next one of its check in."""
        self._queue.remove(turn)
        when, name = turn
        check = self._checks[name]
        insort(self._queue, (self._next(check, max(now, when)), name))
        return check

    def _company(self, now: float, made: Container[str]) -> list[Check]:
        """Return the checks that are made before their time, together with what is due now: none that is `made` now
        anyway, as after a time in which the process did not run."""
        found = []
        for turn in self._until(now + self._together):
            check = self._checks[turn[1]]
            near = turn[0] <= now + _EARLIEST * check.period
            if near and check.kind in _STAMPED and check.id not in made:
                found.append(self._launch(now, turn))
        return found

    def _replace(self, now: float, checks: Iterable[Check]) -> None:
        old, self._checks = self._checks, {check.id: check for check in checks}
        self._phases = {
            name: place(f"{self._source} {name}") / 2**64 * _period(check) for name, check in self._checks.items()
        }
        kept = [
            (when, name)
            for when, name in self._queue
            if name in self._checks and self._checks[name].period == old[name].period
        ]
        known = {name for _, name in kept}
        fresh = [(self._next(check, now), name) for name, check in self._checks.items() if name not in known]
        self._queue = sorted(kept + fresh)

    def _next(self, check: Check, now: float) -> float:
        """Return the first time after `now` that has this check's phase."""
        period, phase = _period(check), self._phases[check.id]
        due = float(phase + ((now - phase) // period + 1) * period)
        # Rounded onto now, or just beyond, it would be due once more, or for ever.
        return due if due > now + _ROUNDING else due + period


def _period(check: Check) -> float:
    return max(check.period, _SHORTEST)

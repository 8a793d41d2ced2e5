"""Remembers one edge: all trials of the long window, and of a quarter of an hour before how many there were in each
minute, with those that were bad.

Faint loss is told from bad trials over minutes, and good ones need only be counted for it. Trials are packed into 28
bytes each, because an agent with 1,000 targets would otherwise spend more memory on trials than on everything else
(bench/results/memory.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct as Packed

from kubesonar.model import Fault, Health, Minute, Observation, Side, Trial, Trouble, syns_of

PAST = 900.0
"""Seconds for which minutes are remembered. Shorter, and 0.5 % of loss on one pair is never told; longer, and what was
hours ago is held against a network that is well."""

MINUTE = 60.0
"""Seconds of wall clock in one minute of the past."""

_MOST_BAD = 64
"""Bad trials kept of the past of one edge; the minutes before are forgotten with those beyond. Fewer, and a loss of 2 %
is remembered for less than the past; more, and an edge that is dead takes as much memory as a hundred that are well."""

_TRIAL = Packed("<dIHHHffH")
_COUNT = Packed("<IH")
_FAULTS = (None, *Fault)
_SLOW, _EXCUSED, _INCOMPLETE, _FULL_SENT, _FULL_RECEIVED = 0x80, 0x40, 0x20, 0x100, 0x200
"""Bits of a packed trial's fault: it was slow; it tells nothing of the past, because silence was announced; datagrams
of it were lost; a full-size one was sent; it was received."""
_FAULT = 0x1F
_CODES = {fault: code for code, fault in enumerate(_FAULTS)}
_MOST_COUNTED = 65_535


class TrialMemory:
    """The trials of one edge. All of them are kept for `long` seconds, at most `most`; what leaves is counted by the
    minute."""

    __slots__ = ("_bad", "_begin", "_counts", "_long", "_most", "_recent")

    def __init__(self, long: float, most: int) -> None:
        self._long = long
        self._most = most
        self._begin = 0
        self._recent = bytearray()
        self._counts = bytearray()
        self._bad = bytearray()

    def add(self, observation: Observation, *, slow: bool, excused: bool, troubles: Iterable[Trouble]) -> None:
        """Take one observation in, and let go of what is too old beside it. Trials that were made, or leave, while the
        target's silence is `excused`, and those within `troubles` of this member, are not counted."""
        recent, at, train = self._recent, observation.at, observation.train
        if recent and _TRIAL.unpack_from(recent, len(recent) - _TRIAL.size)[0] > at + self._long:
            self._forget()  # the wall clock was set back: what is "later" than now would never leave a window
        recent += _TRIAL.pack(
            at,
            train.number if train else 0,
            min(observation.sent, _MOST_COUNTED),
            min(observation.received, _MOST_COUNTED),
            min(train.seen if train else syns_of(observation), _MOST_COUNTED),
            observation.rtt.best if observation.rtt else 0.0,
            (train.rate or 0.0) if train else 0.0,
            _CODES[observation.fault]
            | (_SLOW if slow else 0)
            | (_EXCUSED if excused else 0)
            | (_INCOMPLETE if _incomplete(observation) else 0)
            | (_FULL_SENT if train and train.full_sent else 0)
            | (_FULL_RECEIVED if train and train.full_received else 0),
        )
        surplus = len(recent) // _TRIAL.size - self._most
        while surplus > 0 or _TRIAL.unpack_from(recent)[0] < at - self._long:
            if not excused:
                self._count(bytes(recent[: _TRIAL.size]), troubles)
            del recent[: _TRIAL.size]
            surplus -= 1

    def trials(self, last: int | None = None) -> list[Trial]:
        """Return the trials of the long window, as they came; at most the `last` ones."""
        first = 0 if last is None else max(0, len(self._recent) - last * _TRIAL.size)
        return _unpacked(self._recent[first:] if first else self._recent)

    def __len__(self) -> int:
        """Return the number of trials of the long window."""
        return len(self._recent) // _TRIAL.size

    def minutes(self, now: float, since: float = 0.0) -> tuple[Minute, ...]:
        """Return the minutes before, the oldest first, as far as they are remembered at `now` and do not begin before
        `since` (Unix seconds)."""
        first = max(now - PAST, since)
        counted = [one for one in _COUNT.iter_unpack(self._counts) if one[0] * MINUTE >= first]
        bad: dict[int, list[Trial]] = {}
        for trial in _unpacked(self._bad) if counted else ():
            bad.setdefault(_minute(trial.at), []).append(trial)
        return tuple(Minute(minute * MINUTE, count, tuple(bad.get(minute, ()))) for minute, count in counted)

    def oldest(self, now: float) -> float:
        """Return the beginning of the oldest minute that is remembered at `now`, 0 where none is."""
        begins = (minute * MINUTE for minute, _ in _COUNT.iter_unpack(self._counts))
        return next((begin for begin in begins if begin >= now - PAST), 0.0)

    def _count(self, trial: bytes, troubles: Iterable[Trouble]) -> None:
        """Count a trial that leaves the long window."""
        at, *_, code = _TRIAL.unpack(trial)
        fault = _FAULTS[code & _FAULT]
        if code & _EXCUSED or (fault is not None and not fault.accuses):
            return
        if any(trouble.since <= at and (trouble.until is None or at <= trouble.until) for trouble in troubles):
            return
        minute = _minute(at)
        if minute < self._begin:
            return  # some of its bad trials are forgotten, and what is told of a minute is all of it
        last, count = _COUNT.unpack_from(self._counts, len(self._counts) - _COUNT.size) if self._counts else (-1, 0)
        if last == minute:
            del self._counts[-_COUNT.size :]
        elif last > minute:
            return  # it took longer than those that began later: its minute is over
        self._counts += _COUNT.pack(minute, min((count if last == minute else 0) + 1, _MOST_COUNTED))
        if fault is not None or code & _INCOMPLETE:
            self._bad += trial
        self._trim(minute)

    def _trim(self, newest: int) -> None:
        """Forget minutes that are too old, and those whose bad trials are not all kept."""
        oldest = newest - int(PAST / MINUTE)
        if len(self._bad) > _MOST_BAD * _TRIAL.size:
            oldest = self._begin = max(oldest, _minute(_TRIAL.unpack_from(self._bad)[0]) + 1)
        while self._counts and _COUNT.unpack_from(self._counts)[0] < oldest:
            del self._counts[: _COUNT.size]
        while self._bad and _minute(_TRIAL.unpack_from(self._bad)[0]) < oldest:
            del self._bad[: _TRIAL.size]

    def _forget(self) -> None:
        self._begin = 0
        self._recent.clear()
        self._counts.clear()
        self._bad.clear()


def _incomplete(observation: Observation) -> bool:
    """Whether datagrams of it were lost: answers, or, by the responder's count, what the source announced."""
    if observation.side is Side.RESPONDER:
        return observation.train is not None and observation.received < observation.train.seen
    return observation.health is Health.GOOD and observation.received < observation.sent


def _minute(at: float) -> int:
    return int(at // MINUTE)


def _unpacked(packed: bytearray) -> list[Trial]:
    return [
        Trial(
            at,
            number,
            sent,
            received,
            seen,
            rtt,
            rate,
            _FAULTS[code & _FAULT],
            bool(code & _SLOW),
            int(bool(code & _FULL_SENT)),
            int(bool(code & _FULL_RECEIVED)),
        )
        for at, number, sent, received, seen, rtt, rate, code in _TRIAL.iter_unpack(packed)
    ]

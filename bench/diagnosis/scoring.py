"""What a run is worth: was the right thing said, when, what else, and was it over in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from bench.diagnosis.cluster import Shape
from bench.diagnosis.truth import Answer, Named, Told, Truth, right, wrong

DUE = (10, 15, 20, 25, 60, 120, 600)
"""Seconds after the onset at which it is looked whether exactly the right is said."""


class Second(NamedTuple):
    """What was told so many seconds after the onset (negative: before). `alike`: no probe tells it from the faults that
    are there; `stand_ins` are those parts of it that show what one of the faults shows beside the others."""

    age: float
    told: tuple[Told, ...]
    alike: bool = False
    stand_ins: Answer = frozenset()


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One run, scored. Times are seconds after the onset, `silence` after the cure (None: not before the end).
    `right_at` says for the times of `DUE` that the run reached whether exactly the right was said; `first_right` is
    when first. `wrongs` are the first wrong things with their times, `wrong` how many seconds had any. `flips` are how
    often something is said again that was no longer said, `alarms` how often something wrong began to be said within
    the `span` (s) that was watched. `instead` is what was said just before the cure, where that
    was not right. `cluster_packets` and `node_packets` are how many times their usual packets of probes all nodes
    together, and the node with most beyond its usual, sent in the half minute after the onset."""

    row: str
    shape: Shape
    seed: int
    judge: str
    truth: tuple[str, ...]
    right_at: dict[int, bool]
    first_right: float | None
    wrong: int
    wrongs: tuple[str, ...]
    seconds: int
    silence: float | None
    flips: int
    alarms: int
    span: float
    instead: tuple[str, ...]
    coverage: dict[str, float]
    cluster_packets: float = 1.0
    node_packets: float = 1.0
    commit: str = ""


def score(
    row: str,
    shape: Shape,
    seed: int,
    judge: str,
    truths: Sequence[Truth],
    seconds: Sequence[Second],
    hold: float,
    coverage: Mapping[str, float],
) -> Score:
    """Scores what was told; the fault lasted from 0 to `hold`."""
    during = [second for second in seconds if 0 <= second.age < hold]
    rights = [_right(second, truths) for second in during]
    bad = [(second, said) for second in seconds if (said := _wrong(second, truths))]
    last = during[-1] if during else Second(0.0, ())
    return Score(
        row=row,
        shape=shape,
        seed=seed,
        judge=judge,
        truth=tuple(" & ".join(" ".join(named) for named in sorted(truth.answers[0])) for truth in truths),
        right_at={due: _at(due, during, rights) for due in DUE if due < hold},
        first_right=next((second.age for second, fine in zip(during, rights, strict=True) if fine), None),
        wrong=len(bad),
        wrongs=tuple(
            f"{second.age:+.0f} s: {told.part} {told.subject}: {told.sentence}" for second, said in bad for told in said
        )[:4],
        seconds=len(seconds),
        silence=_silence(seconds, hold),
        flips=_flips(seconds),
        alarms=_alarms(seconds, truths),
        span=seconds[-1].age - seconds[0].age,
        instead=()
        if _right(last, truths)
        else tuple(f"{told.part} {told.subject}: {told.sentence}" for told in last.told),
        coverage=dict(coverage),
    )


def compared(told: Iterable[Told]) -> frozenset[Named]:
    """What is compared; who looks may say of itself that it cannot see."""
    return frozenset(each.named for each in told if each.part != "observer")


def _right(second: Second, truths: Sequence[Truth]) -> bool:
    return second.alike or right(compared(second.told), truths)


def _wrong(second: Second, truths: Sequence[Truth]) -> list[Told]:
    """What is told that no fault of the run allows; before the onset nothing is allowed."""
    if second.alike:
        return []
    bad = wrong(compared(second.told), truths if second.age >= 0 else ()) - second.stand_ins
    return [told for told in second.told if told.named in bad]


def _alarms(seconds: Sequence[Second], truths: Sequence[Truth]) -> int:
    """How often something wrong is said that was not said the time before."""
    before: frozenset[Named] = frozenset()
    count = 0
    for second in seconds:
        now = compared(_wrong(second, truths))
        count += len(now - before)
        before = now
    return count


def _at(due: float, during: Sequence[Second], rights: Sequence[bool]) -> bool:
    """Whether the last thing said by then is right."""
    known = [fine for second, fine in zip(during, rights, strict=True) if second.age <= due + 0.5]
    return bool(known) and known[-1]


def _silence(seconds: Sequence[Second], hold: float) -> float | None:
    """When the last thing was said, counted from the cure."""
    after = [second for second in seconds if second.age >= hold]
    if not after or after[-1].told:
        return None
    last = max((index for index, second in enumerate(after) if second.told), default=-1)
    return max(0.0, after[last + 1].age - hold)


def _flips(seconds: Sequence[Second]) -> int:
    """How often something that was said no longer is, and is again."""
    ended: set[Named] = set()
    before: frozenset[Named] = frozenset()
    flips = 0
    for second in seconds:
        now = compared(second.told)
        flips += len((now - before) & ended)
        ended |= before - now
        before = now
    return flips

"""Whether what was bad was a fault that lasts, or bursts of loss that pass."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from kubesonar.core.diagnosis.parts.part import Part

SLOT = 0.5
"""Trials that are bad within the same so many seconds count as one event, because losses come in bursts that many
trials share."""

BURST = 2.0
"""Seconds that a burst of loss lasts in a network that is well (a queue that overflows, a route that converges)."""

BURSTS = 3
"""Bursts that it must take to explain a loss of some packets: fewer come by chance, more make the fault late."""

LONG_BURST = 8.0
"""Seconds from the first bad trial to the last that a loss of some packets must span: one burst lasts as long with a
probability of exp(-8 / 2), or 2 %, where `BURST` is the mean of an exponential distribution. Shorter, and single long
bursts are findings (at 4 s one in 7 lasts as long); longer, and 10 % of loss is not told within 20 s."""

PER_OTHER_BURST = 4.0
"""Seconds by which it must span longer for each burst that another part had shortly before, up to `MOST_OTHERS`: the
more bursts there are, the more long ones. Shorter, and a network of 20 nodes in which each link has a burst each ten
minutes makes several findings an hour; longer, and faults beside such bursts are told late."""

MOST_OTHERS = 3
"""Bursts of other parts from which on it need last no longer: one burst in 20,000 lasts 20 s."""

BURSTS_HARD = 2
"""The same where nothing gets through, which a queue that overflows does not do to all trials."""

NO_PAUSE = 6.0
"""Events that are expected in a silence before it is held to part two bursts: a loss that lasts is silent for so long
with a probability of exp(-6). Fewer, and faint loss is told late, because it begins anew after each silence; more, and
some bursts of one part within a minute are a finding, of which one was long."""

PER_BURST = 20.0
"""Seconds of a fault beyond the first so many in which one burst more falls by chance."""

PER_FAINT_BURST = 60.0
"""The same beyond the minute, of which only faint loss counts, so that most bursts leave no trace there."""

_MINUTE = 60.0

HARD = 0.9
"""Loss from which on nothing is held to get through. Lower, and bursts are taken for it; higher, and hard faults beside
a probe that came through by chance are told late."""


def times_since(bad_at: Sequence[float], began: float) -> Sequence[float]:
    """Return those of the times, which are in order, that are later."""
    return bad_at[bisect_right(bad_at, began) :]


def share_of_events(*groups: Iterable[tuple[float, float]]) -> float:
    """Return what is left of the evidence had all of a group that was bad at the same moment been one event. A group
    holds times of bad trials, each with what it is worth (nats): what is explained already is worth next to nothing,
    and does not make one event of what is not."""
    left = whole = 0.0
    for group in groups:
        slots: dict[int, tuple[float, float]] = {}
        for at, worth in group:
            total, squares = slots.get(int(at / SLOT), (0.0, 0.0))
            slots[int(at / SLOT)] = total + worth, squares + worth * worth
        left += sum(squares / total for total, squares in slots.values() if total)
        whole += sum(total for total, _ in slots.values())
    return left / whole if whole else 1.0


def lasts(times: Sequence[float], rate: float, part: Part, age: float) -> bool:
    """Whether it was bad in enough different seconds since its first bad trial, which is that old (`age`, seconds), and
    for longer than a few bursts take, or than a long one does where something gets through. `times` are in order."""
    if len({int(at) for at in times}) < part.seconds:
        return False
    by_chance = max(0.0, min(age, _MINUTE) / PER_BURST - 1) + max(0.0, age - _MINUTE) // PER_FAINT_BURST
    if part.seconds == 1:
        return True
    if rate >= HARD:
        return bursts(times) >= BURSTS_HARD
    return outlasts(times[-1] - _began(times)) and bursts(times) >= BURSTS + by_chance


def _began(times: Sequence[float]) -> float:
    """Return when what is bad now began: after the last silence in which `NO_PAUSE` events should have been, at the
    rate of all. What has had no more than these never began anew."""
    events = len({int(at / SLOT) for at in times})
    return after_silence(times, NO_PAUSE * (times[-1] - times[0]) / events)


def after_silence(times: Sequence[float], longest: float) -> float:
    """Return the first of the times, which are in order, that follows the last silence of more than `longest`
    seconds; the first of all where there was none."""
    began = times[-1]
    for at in reversed(times):
        if began - at > longest:
            break
        began = at
    return began


def outlasts(span: float, others: int = 0) -> bool:
    """Whether what was bad for so long (s) was so for longer than a long burst takes, where so many other parts had
    bursts shortly before."""
    return span >= LONG_BURST + PER_OTHER_BURST * min(others, MOST_OTHERS)


def bursts(times: Sequence[float]) -> int:
    """The fewest bursts that cover all these times, which are in order."""
    count, until = 0, float("-inf")
    for at in times:
        if at > until:
            count += 1
            until = at + BURST
    return count

"""When a suspect is told: a fault that is present, that lasts, and that nothing else explains about as well."""

from __future__ import annotations

from collections.abc import Sequence

from kubesonar.core.diagnosis.evidence import Ages
from kubesonar.core.diagnosis.inference.persistence import BURST, HARD, after_silence, lasts, outlasts
from kubesonar.core.diagnosis.inference.suspects import CLEAR, Suspect, relatives
from kubesonar.core.diagnosis.parts.table import both_ways_of

MIN_GAIN = 16.0
"""Gain after the penalty (nats) below which a part is not named. In 300 simulated healthy windows with bursts the most
was 14; a loss of 2 % on one pair has 70 and more within 30 s at 16 packets a second."""

SURE = 6.0
"""Lead (nats) which a fault that began within the short window must have over all that else might explain it: one wrong
explanation in 400. Lower, and the first losses are put down to what is merely more common; higher, and faults are told
late. A second later there is more to tell by."""

BELIEVED = 10.0
"""Lead (nats) that decides in the newest trials although another part explains more of them: beyond the penalties."""

DEFER_TO_NARROWER = 30.0
"""Seconds for which a fault is not told while a narrower part explains more of it, and only what was held to be
probable beforehand speaks against that. Shorter, and 10 % loss of UDP is told as loss of all packets; longer, and a
pair that loses 2 %, of whose TCP and ICMP nothing was lost by chance, is told late."""

UNSURE = CLEAR
"""Lead (nats) which loss of some packets must have for as long over all that else might explain it. Lower, and DNS by
UDP is told as names outside of the cluster at first; higher, and faint faults are told late."""

_FAINT = 0.02
"""Loss below which evidence comes slowly, so that a fault is young for longer and must lead by `SURE` until then: in
the first minutes of 0.5 %, chance alone has a part of what is sick explain more than all of it. Lower, and such a part
is told first; higher, and 2 % of loss is not told within a minute."""

_FAINT_IS_YOUNG = 60.0
"""Seconds for which loss of `_FAINT` is young, half as much for twice as long. Of 0.5 % on both ways of a pod network
of three nodes the second way brings 0.17 nats a second, so that after two minutes it has 20 in the mean, and in one run
of ten less than `SURE`; after four, in one of a hundred. Shorter, and such a run is told one way; longer, and loss of a
pair, which seldom hits a packet that is no UDP, is told late."""

_SILENCE = 2 * BURST
"""Seconds of silence that do not part two bursts. Shorter, and loss that comes and goes beside bursts of others is told
late; longer, and two bursts are taken for one that lasts."""


def is_told(suspect: Suspect, ages: Ages, newest: int, now: float, *, known: bool = False) -> bool:
    """Return whether it is a present, lasting and clear fault, by so many of the newest bins. One that is `known` from
    before is clear once the whole window is looked at: it ends when it is well, and not because few trials, of which
    some were made before it began, leave it open again whether a narrower part explains more."""
    found, part = suspect.fit, suspect.part
    if found.ended or found.rate < part.least or suspect.net < MIN_GAIN:
        return False
    first = suspect.times[0] if suspect.times else now
    if not lasts(suspect.times, found.rate, part, now - first):
        return False
    if known and newest >= ages.window:
        return True
    if found.rate < HARD and not part.whole and not _outlasts_beside_each_pair(suspect):
        return False
    newest_only = newest < len(ages.edges)
    twins = (rival for rival in suspect.rivals if both_ways_of(rival.part) == both_ways_of(part.name))
    # What crosses this one only was not tried just now, as what one of two nodes asks of plain targets.
    if newest_only and any(rival.same and rival.within for rival in twins):
        return False
    open_ = [rival for rival in suspect.rivals if not rival.same]
    brief = newest_only or found.bins <= ages.recent
    unbelieved = [rival for rival in open_ if rival.more > 0 and rival.lead < BELIEVED]
    if unbelieved and (brief or (now - first < DEFER_TO_NARROWER and any(rival.within for rival in unbelieved))):
        return False  # only what was held to be probable beforehand speaks for it so far
    if found.bins <= ages.recent:
        return all(rival.lead >= SURE for rival in open_)
    faint = found.rate < _FAINT
    least = SURE if faint else UNSURE
    until = _FAINT_IS_YOUNG * _FAINT / found.rate if faint else DEFER_TO_NARROWER
    young = found.rate < HARD and now - first < until
    return not young or all(rival.lead >= least for rival in open_)


def is_burst(suspect: Suspect, over: Sequence[Suspect], ages: Ages, now: float) -> bool:
    """Return whether it may yet be a burst, because others had bursts in the last minute: those of `over` that ended
    before it began. What they explain does not count for how long it lasted."""
    if suspect.fit.rate >= HARD or suspect.part.seconds == 1 or not suspect.times:
        return False
    others = [other for other in over if other.subject != suspect.subject]
    ends = [_last(other, ages, now) for other in others]
    times = _own_times(suspect, others, ends)
    began = _began(times)
    before = {other.subject for other, last in zip(others, ends, strict=True) if last < began}
    return bool(before) and not outlasts(times[-1] - began, len(before))


def without_ways_of_both(suspects: Sequence[Suspect]) -> list[Suspect]:
    """Return the suspects without each that is one way of a part of which both ways are among them: the newest trials
    may show one way that loses packets, and older ones both."""
    keys = {suspect.key for suspect in suspects}
    return [suspect for suspect in suspects if keys.isdisjoint({*relatives(suspect.key)[:1]} - {suspect.key})]


def _outlasts_beside_each_pair(suspect: Suspect) -> bool:
    """Return whether what lost packets between several pairs of nodes did so for longer than a long burst without any
    single pair of these: a burst of a node, and soon after one of its ways to a single peer, are no long one."""
    spans: dict[frozenset[str], tuple[float, float]] = {}
    for cell in suspect.cells:
        times = [at for at in cell.bad_at if at >= suspect.times[0]] if cell.route.between_members else []
        if times:
            pair = frozenset((cell.route.source.place, cell.route.target.place))
            first, last = spans.get(pair, (times[0], times[0]))
            spans[pair] = min(first, *times), max(last, *times)
    if len(spans) < 2:
        return True
    for pair in (min(spans, key=lambda pair: spans[pair][0]), max(spans, key=lambda pair: spans[pair][1])):
        others = [span for each, span in spans.items() if each != pair]
        if not outlasts(max(last for _, last in others) - min(first for first, _ in others)):
            return False
    return True


def _own_times(suspect: Suspect, over: Sequence[Suspect], ends: Sequence[float]) -> Sequence[float]:
    """When it was bad, in order, without what others explain that had ended by then; all times where nothing is
    left."""
    last: dict[int, float] = {}
    for other, end in zip(over, ends, strict=True):
        last |= {index: max(end, last.get(index, end)) for index in other.indexes}
    cells = zip(suspect.indexes, suspect.cells, strict=True)
    return sorted(at for index, cell in cells for at in cell.bad_at if at > last.get(index, at - 1)) or suspect.times


def _began(times: Sequence[float]) -> float:
    """When what is lost now began: after the last silence that was longer than usual. Two bursts are no long one."""
    usual = (times[-1] - times[0]) / len(times)
    return after_silence(times, max(_SILENCE, 3 * usual))


def _last(over: Suspect, ages: Ages, now: float) -> float:
    """When it was bad last before its end."""
    ended = now - ages.edges[over.fit.ended - 1]
    return max((at for at in over.times if at <= ended), default=ended)

"""Writes what diagnosis found as sentences for people."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import median

from kubesonar.core.diagnosis.evidence import Ages, Cell, Evidence
from kubesonar.core.diagnosis.inference.incidence import load_of
from kubesonar.core.diagnosis.inference.suspects import CLEAR, Suspect
from kubesonar.core.diagnosis.inference.trial_model import lossy
from kubesonar.core.diagnosis.parts.shares import mean_share
from kubesonar.core.diagnosis.parts.traversal import Aspect, Way
from kubesonar.model import Fault, clip

WallClock = Callable[[float], str]
"""Renders Unix seconds as a time of day."""

_TOTAL = 0.9
"""A part is said to let nothing through when at least this share of packets and of probes is lost ..."""

_TOTAL_BINS = 4
"""... in so many of the newest bins."""

_PATIENCE = 10.0
"""A run of badness has a gap where this many times the mean distance of bad trials is exceeded."""

_DENSE = 0.6
"""Share of the present density of bad trials that the beginning of the run must have."""

_SHORTEST_GAP = 1.5
_AT_THE_EDGE = 3.0
_FAR_EDGE = 120.0

_MOST_OBSERVERS = 20

_REFUSAL = 100
"""Most characters of what a target says: more, and the sentence is no sentence; less, and the reason is cut off."""

_TELLING = 20
"""Lost packets from which on their share is stated as counted."""


def since(suspect: Suspect, now: float, ages: Ages) -> float:
    """Return when the present run of badness began: after the last long gap, and as dense from the start as it is now,
    so that a stray loss shortly before does not count."""
    times = suspect.bad_at
    span = ages.edges[suspect.fit.bins - 1]
    rate = max(1, len(times) - bisect_left(times, now - span)) / span
    patience = max(_SHORTEST_GAP, _PATIENCE / rate)
    start = len(times) - 1
    while start and times[start] - times[start - 1] <= patience:
        start -= 1
    for index in range(start, len(times)):
        if bisect_left(times, times[index] + patience) - index >= _DENSE * rate * patience:
            return times[index]
    return times[start]


def since_when(suspect: Suspect, evidence: Evidence, now: float) -> float:
    """Return when it began: as the trials tell, or, where it is older than they are, as those who ask remember
    (median). Trains between members remember best: a single packet gets through now and then, as if it began anew."""
    began = since(suspect, now, evidence.ages)
    if now - began <= evidence.ages.long - _AT_THE_EDGE - 2.0:
        return began
    bad = [cell.route for cell in suspect.cells if any(cell.bad)]
    bad = [route for route in bad if route.between_members] or bad
    ends = {(route.source.name, route.target.name) for route in bad}
    remembered = [evidence.bad_since[pair] for pair in ends if pair in evidence.bad_since]
    return min(began, median(remembered)) if remembered else began


def time_of(began: float, now: float, ages: Ages, clock: WallClock) -> str:
    """That time for a sentence; where it lies at the far end of the window, the fault may be older. What is remembered
    lies beyond."""
    older = ages.memory - _FAR_EDGE < now - began <= ages.memory
    return ("before " if older else "") + clock(began)


def percent(share: float) -> str:
    """A share as "31 %", with one decimal below 10 % unless it is whole."""
    number = 100 * share
    return f"{number:.0f} %" if number >= 10 or round(number, 1) == round(number) else f"{number:.1f} %"


def bits(rate: float) -> str:
    """A rate as "512 kbit/s"."""
    return f"{rate / 1e6:.3g} Mbit/s" if rate >= 1e6 else f"{rate / 1e3:.0f} kbit/s"


def loss(suspect: Suspect, recent: int) -> float:
    """The share of packets lost through the part, counted one way where that is known, in the short window (its
    `recent` bins) where that says enough; else as estimated. Where no trains cross it, the share of trials that
    failed."""
    whole = _whole(suspect)
    trains = [cell for cell in whole if cell.packets > 1]
    if not trains:
        bins = suspect.fit.bins
        total, bad = sum(sum(cell.total[:bins]) for cell in whole), sum(sum(cell.bad[:bins]) for cell in whole)
        return bad / total if total else suspect.fit.rate
    counted = [cell for cell in trains if cell.route.way is not Way.ROUND] or trains
    for bins in (min(recent, suspect.fit.bins), suspect.fit.bins):
        sent = sum(sum(cell.sent[:bins]) for cell in counted)
        lost = sum(sum(cell.lost[:bins]) for cell in counted)
        if lost >= _TELLING:
            return lost / sent
    return suspect.fit.rate


def _whole(suspect: Suspect) -> list[Cell]:
    """The cells all of whose trials cross the part; all cells where there are none. That a member could be read is no
    trial that anybody made."""
    share = suspect.part.share
    made = [cell for cell in suspect.cells if cell.route.question is not Aspect.READ]
    return [cell for cell in made if share is None or mean_share(share(cell.route, suspect.subject)) >= 1] or made


def both_ways(suspect: Suspect, lost: float) -> str:
    """Return what a part with two ways loses on them: "30 % of the packets in and out", or each apart."""
    rates = suspect.rates
    if rates is None or rates.inward == rates.outward:
        return f"{percent(lost)} of the packets in and out"
    return f"{percent(rates.inward)} of the packets in and {percent(rates.outward)} of those out"


def ways_of(suspect: Suspect) -> str:
    """On which ways nothing gets through: out, and in as far as that is known; a node that is not heard does not say
    what it hears."""
    unknown = any(rival.part.endswith("_out") and rival.lead < CLEAR for rival in suspect.rivals)
    return "out, and whether anything gets in cannot be told," if unknown else "in or out"


def total(suspect: Suspect) -> bool:
    """Whether nothing gets through any more: neither datagrams nor other probes."""
    bins = min(_TOTAL_BINS, suspect.fit.bins)
    datagrams, others = [0, 0], [0, 0]
    for cell in _whole(suspect):
        count = datagrams if cell.packets > 1 else others
        count[0] += sum(cell.lost[:bins])
        count[1] += sum(cell.sent[:bins])
    return all(lost >= _TOTAL * sent for lost, sent in (datagrams, others))


def agreement(suspect: Suspect) -> str:
    """Return how many of the observers that looked from elsewhere see it: "; 8 of 8 observers agree". Empty where none
    had trials enough to see it alone."""
    agree, asked = observers(suspect)
    if not agree:
        return ""
    return "; its only observer agrees" if asked == 1 else f"; {agree} of {asked} observers agree"


def observers(suspect: Suspect) -> tuple[int, int]:
    """Return how many observers that looked from elsewhere see it, and how many looked often enough to see it."""
    bins = suspect.fit.bins
    seen: dict[str, list[float]] = {}
    whole = _whole(suspect)
    outside = [cell for cell in whole if cell.route.source.node != suspect.subject] or whole
    for cell in outside:
        counts = seen.setdefault(cell.route.source.name, [0.0, 0.0])
        counts[0] += sum(cell.total[:bins]) * _expected(suspect, cell)
        counts[1] += sum(cell.bad[:bins])
    asked = [(expected, bad) for expected, bad in seen.values() if expected]
    return sum(bad >= max(1.0, 0.5 * expected) for expected, bad in asked), len(asked)


def seen_by(suspect: Suspect) -> tuple[str, ...]:
    """Return who saw how much of it: "node-1-pod: 6 of 6 bad", those who saw most first."""
    bins = suspect.fit.bins
    seen: dict[str, list[int]] = {}
    for cell in _whole(suspect):
        counts = seen.setdefault(cell.route.source.name, [0, 0])
        counts[0] += sum(cell.bad[:bins])
        counts[1] += sum(cell.total[:bins])
    ranked = sorted(seen.items(), key=lambda item: (-item[1][0], item[0]))
    return tuple(f"{name}: {bad} of {total} bad" for name, (bad, total) in ranked[:_MOST_OBSERVERS] if total)


def kinds(suspect: Suspect) -> tuple[list[str], list[str]]:
    """For and against: by kind and way, how many trials through the part were bad. Those of which none was, nor was to
    be, say neither."""
    bins = suspect.fit.bins
    counts: dict[str, list[float]] = {}
    for cell in suspect.cells:
        count = counts.setdefault(_label(cell), [0, 0, 0.0])
        total = sum(cell.total[:bins])
        count[0] += sum(cell.bad[:bins])
        count[1] += total
        count[2] += total * _expected(suspect, cell)
    ordered = sorted((label, count) for label, count in counts.items() if count[0] or count[2])
    lines = [(bad >= 0.5 * expected, f"{label}: {bad} of {total} bad") for label, (bad, total, expected) in ordered]
    return [line for speaks, line in lines if speaks], [line for speaks, line in lines if not speaks]


def _label(cell: Cell) -> str:
    route = cell.route
    transport = " large" if route.large else " by tcp" if route.kind.value == "dns" and route.tcp else ""
    network = f" in the {route.source.network.value} network" if route.source.network else ""
    way = {Way.FORWARD: ", way there", Way.BACK: ", way back", Way.ROUND: ""}[route.way]
    return f"{route.kind.value}{transport} {route.question.value}{network}{way}"


def _expected(suspect: Suspect, cell: Cell) -> float:
    """The share of that cell's trials that the suspect makes bad."""
    if suspect.rates is not None:
        return lossy(*suspect.rates.crossing(cell, suspect.subject, suspect.part.share)).bad
    return lossy(load_of(suspect.part, cell, suspect.subject), suspect.fit.rate).bad


def delay(suspect: Suspect) -> str:
    """Return how often it was slow: "83 of 90 checks took more than three times as long as usual"."""
    bins = suspect.fit.bins
    total, bad = (sum(sum(count[:bins]) for count in counts) for counts in _counts(_whole(suspect)))
    return f"{bad} of {total} checks took more than three times as long as usual"


def _counts(cells: list[Cell]) -> tuple[list[list[int]], list[list[int]]]:
    return [cell.total for cell in cells], [cell.bad for cell in cells]


def way_back(subject: str, cells: Iterable[Cell], bins: int) -> str:
    """Whether the other direction of a pair is known to work."""
    start, _, end = subject.partition(">")
    total = bad = 0
    for cell in cells:
        legs = cell.route.legs
        if len(legs) == 1 and cell.route.reach and (legs[0][0].place, legs[0][1].place) == (end, start):
            total += sum(cell.total[:bins])
            bad += sum(cell.bad[:bins])
    return "; the way back works" if total and bad < 0.5 * total else ""


def or_back(suspect: Suspect) -> str:
    """Whether the other direction explains about as much: no probe tells which of the two it is."""
    start, _, end = suspect.subject.partition(">")
    back = suspect.part.name, f"{end}>{start}"
    alike = any((rival.part, rival.subject) == back and rival.lead < CLEAR for rival in suspect.rivals)
    return ", or back," if alike else ""


def home(suspect: Suspect) -> tuple[str, ...]:
    """The node on which a server runs that is sick, as far as that is known."""
    ends = (end for cell in suspect.cells for end in (cell.route.target, *cell.route.target.behind))
    nodes = {end.node for end in ends if end.name == suspect.subject and end.node and end.network is None}
    return tuple(sorted(nodes))


def wrong_answer(suspect: Suspect, evidence: Evidence) -> str:
    """Return how most of those who ask a target are refused or answered wrongly: " (status 503 instead of 200)"; empty
    where nobody's latest check was."""
    ends = {(cell.route.source.name, cell.route.target.name) for cell in suspect.cells if any(cell.bad)}
    said = Counter(evidence.refusals[pair] for pair in ends if pair in evidence.refusals)
    return f" ({clip(max(said, key=lambda detail: (said[detail], detail)), _REFUSAL)})" if said else ""


def size(suspect: Suspect, evidence: Evidence) -> tuple[str, str]:
    """Return which packets do not pass, and how they fail."""
    found = [
        evidence.sizes[ends]
        for cell in suspect.cells
        if (ends := (cell.route.source.name, cell.route.target.name)) in evidence.sizes
    ]
    if not found:
        return "of full size", "do not pass"
    silent = all(fault is Fault.BLACK_HOLE for _, fault in found)
    return f"above {max(found)[0]:,} bytes", "vanish silently" if silent else "are refused on the way"

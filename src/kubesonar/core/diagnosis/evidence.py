"""Evidence that diagnosis counts: trials that cross the same parts of the network, sorted by age."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from math import inf, nextafter
from typing import Protocol

import msgspec

from kubesonar.core.diagnosis.parts.traversal import Traversal
from kubesonar.model import Fault, Kind, Network

SETTLE = 2.0
"""Seconds until both ends have recorded a train (the responder publishes it about 1 s after its last datagram)."""

_STEPS = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 2.0, 3.5)

_PAST_STEPS = (120.0, 180.0, 240.0, 360.0, 480.0, 600.0, 750.0, 960.0)
"""Upper ends (s) of the bins of the past, of which trials are known by the minute: wide, because what is faint has no
sharper beginning."""

_LEAST_PAST = 60.0
"""Seconds of the past beside the longest long windows: minutes that agents with a shorter one remember need a bin."""

_WITH_SETTLING = 1.2
"""The short window with what trials need to settle."""


FAINT = 0.4
"""Share of a train's datagrams beyond which its loss is not counted in the past: it tells of a burst, or of a fault of
which newer trials tell more. Lower, and two lost of eight are no faint loss; higher, and bursts are taken for it."""


class Ages:
    """The bins of age into which trials are sorted, fine where a fault may just have begun. `edges` are their upper
    ends in seconds, derived from the two windows; beyond the long one lie those of the past."""

    def __init__(self, short: float, long: float) -> None:
        self.short = short
        self.long = max(long, _WITH_SETTLING * short) + SETTLE
        self.edges = [step * short for step in _STEPS if step * short < self.long] + [self.long]
        self.window = len(self.edges)
        """The number of bins that make up the long window."""
        self.edges += [step for step in _PAST_STEPS if step > self.long] or [self.long + _LEAST_PAST]
        self.memory = self.edges[-1]
        """Seconds that the oldest bin reaches back."""
        self.recent = bisect_right(self.edges, _WITH_SETTLING * short)
        """The number of bins that make up the short window."""

    def split_at(self, age: float) -> None:
        """Move the nearest edge beyond the short window to just behind that age, unless this is younger or older than
        the bins there: what let everything through before, and lets nothing through since, is then no part that loses a
        share. The trial of that age itself is in the younger bin, since it is the first that failed."""
        movable = range(self.recent, self.window - 1)
        if movable and self.edges[self.recent - 1] < age < self.edges[self.window - 1]:
            nearest = min(movable, key=lambda index: abs(self.edges[index] - age))
            self.edges[nearest] = nextafter(age, inf)


class Cell:
    """Trials of one route: per bin how many there were, how many were bad, how many of these dead (nothing came
    through), and packets sent and lost."""

    __slots__ = ("bad", "bad_at", "dead", "gone_at", "lost", "packets", "route", "sent", "total")

    def __init__(self, route: Traversal, packets: int, bins: int) -> None:
        self.route = route
        self.packets = packets
        """Datagrams in one trial, each of which may be lost; negative for TCP, `BIG` for trials of size."""
        self.total = [0] * bins
        self.bad = [0] * bins
        self.dead = [0] * bins
        self.sent = [0] * bins
        self.lost = [0] * bins
        self.bad_at: list[float] = []
        """The times when trials were bad, by our clock; as many at most as a snapshot holds."""
        self.gone_at: list[float] = []
        """The times when trials of the past were bad that lost more than faint loss does, and so are not counted."""

    def add(self, at: float, age_bin: int, bad: bool, sent: int = 1, lost: int = 1) -> None:
        """Counts one trial of `sent` packets, of which `lost` did not arrive if it was bad."""
        self.total[age_bin] += 1
        self.sent[age_bin] += sent
        if bad:
            self.bad[age_bin] += 1
            self.dead[age_bin] += lost >= sent
            self.lost[age_bin] += lost
            self.bad_at.append(at)

    def add_good(self, count: int, age_bin: int, sent: int = 1) -> None:
        """Counts so many trials of `sent` packets each, of which all arrived."""
        self.total[age_bin] += count
        self.sent[age_bin] += sent * count


class Lookups:
    """The look-ups of one target's name from one member: how many, how many failed, and when."""

    __slots__ = ("bad_at", "total")

    def __init__(self) -> None:
        self.total = 0
        self.bad_at: list[float] = []

    def add(self, at: float, failed: bool) -> None:
        """Counts one."""
        self.total += 1
        if failed:
            self.bad_at.append(at)


class Speed(msgspec.Struct, frozen=True):
    """The rates (bits/s, 0: too fast to tell) that packets of full size saw lately from one member to another, each
    after the time when it was measured (Unix seconds), the newest last."""

    source: str
    target: str
    rates: tuple[tuple[float, float], ...]


class Quiet(msgspec.Struct, frozen=True):
    """Trials between members that no cell holds, because none was bad lately: over how many pairs of one group, how
    many, and how many of these were bad before."""

    packets: int
    network: Network | None
    round_trip: bool
    far: bool
    pairs: int
    trials: int
    bad: int = 0


class Reserve(Protocol):
    """The pairs of which no cell was made yet, because nothing failed between them lately: in a big mesh nearly all."""

    def near(self, words: Collection[str]) -> list[Cell]:
        """Make the cells of all routes whose parts have subjects of these words (names, nodes, zones), and return
        those that are new; `Evidence.cells` has them from then on."""
        ...

    def everything(self) -> None:
        """Make all cells."""
        ...

    def make(self, pairs: Iterable[tuple[str, str]]) -> list[Cell]:
        """Make the cells of these pairs of source and target, unless they are made; return the new ones."""
        ...

    def holds(self, source: str, target: str) -> bool:
        """Return whether that pair is in reserve: all of its trials in the long window were good, and none slow."""
        ...

    def counted(self, source: str, target: str) -> Iterator[Kind]:
        """Return the kinds of checks of which a trial counts in the long window, of a pair in reserve."""
        ...

    def passing(self, part: str, subject: str) -> tuple[float, float]:
        """Return how many trains of pairs in reserve cross that part in a second, lately and in the past; less where
        that is not known."""
        ...


class Evidence(msgspec.Struct, frozen=True):
    """All that the snapshots say together. `cells` are those of pairs between which something failed, and what was made
    of the `reserve`; `quiet` counts the other trials, `paths` all pairs, `old` says whether trials reach back
    far enough to judge by. `heard` are the members that answered something lately, or were answered by one that
    cannot be read, `sizes` the largest packet known to pass where bigger ones do not (by source and target) and
    whether a router said so, `sent` counts the datagrams of all trains by bin of age, `lost` those that nobody
    answered by the member that they went to, `lookups` those of names (by source and target).
    `misdelivered` are the targets at whose address another member answers, with who sees it, since when and where.
    `bad_since` is when the checks of a target began to fail, by source and target, as far as the source remembers,
    `refusals` how a target refused or answered wrongly, where the latest check did so."""

    ages: Ages
    cells: list[Cell]
    heard: frozenset[str]
    mismatches: frozenset[tuple[str, str]]
    speeds: list[Speed]
    sizes: dict[tuple[str, str], tuple[int, Fault]]
    sent: list[int]
    lost: dict[str, list[int]]
    lookups: dict[tuple[str, str], Lookups]
    reserve: Reserve
    misdelivered: dict[str, dict[str, tuple[float, str]]] = {}
    bad_since: dict[tuple[str, str], float] = {}
    refusals: dict[tuple[str, str], str] = {}
    quiet: tuple[Quiet, ...] = ()
    paths: int = 0
    old: bool = True

    def all_cells(self) -> list[Cell]:
        """Return all cells, which costs as much as all trials."""
        self.reserve.everything()
        return self.cells

    def all_lookups(self) -> Mapping[tuple[str, str], Lookups]:
        """Return the look-ups of all names where any failed, which makes the cells of all plain targets."""
        if any(found.bad_at for found in self.lookups.values()):
            self.reserve.near(("dns-service",))
        return self.lookups

    def near(self, *words: str) -> list[Cell]:
        """Return the cells so far, with all that cross a part whose subject has these words."""
        self.reserve.near(words)
        return self.cells

    def loss(self, age: float, without: Collection[str] = ()) -> float:
        """The share of all datagrams sent in the last `age` seconds that nobody answered, though they went to others
        than those members."""
        bins = bisect_right(self.ages.edges, age)
        sent = sum(self.sent[:bins])
        lost = sum(sum(lost[:bins]) for name, lost in self.lost.items() if name not in without)
        return lost / sent if sent else 0.0

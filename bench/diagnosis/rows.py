"""Rows of the table: which faults, at which loss and in which manner, or which story, and how long they last."""

from __future__ import annotations

from random import Random

import msgspec

from bench.diagnosis.cluster import Shape
from bench.diagnosis.faults import FAULTS
from bench.diagnosis.stories import LENGTH, STORIES

MANNERS = ("steady", "bursty", "correlated", "flapping", "growing")
ANY = "any"
"""A fault that each run draws for itself among `DRAWN`."""

HEALTHY, STORY = "healthy", "story"
_HEALTHY_LENGTH = 300.0

BACKGROUNDS = (0.0, 0.0001, 0.001, 0.003)
"""Losses of every component at which a network is still called healthy."""

LAG = 60.0
"""Longest time (s) until rosters reach agents in stories: what is promised of announced change."""


class Ingredient(msgspec.Struct, frozen=True):
    """One fault of a row. `share` is its loss, 1 where it has none or all."""

    kind: str
    share: float = 1.0
    manner: str = "steady"

    def __str__(self) -> str:
        words = [self.kind]
        if self.share < 1:
            words.append(f"loss {self.share:g}")
        if self.manner != "steady":
            words.append(self.manner)
        return " ".join(words)


class Row(msgspec.Struct, frozen=True):
    """Faults that begin together, or a story of announced change, or neither, for so many seconds (`calm`).
    Faults last as long as the slowest of their figures takes, unless `lasts` (s) says how long."""

    faults: tuple[Ingredient, ...] = ()
    story: str = ""
    calm: float = _HEALTHY_LENGTH
    lasts: float = 0.0

    def __str__(self) -> str:
        healthy = HEALTHY if self.calm == _HEALTHY_LENGTH else f"{HEALTHY} {self.calm:g}"
        faults = " + ".join(map(str, self.faults)) + (f" for {self.lasts:g}" if self.lasts else "")
        return f"{STORY} {self.story}" if self.story else faults or healthy

    @property
    def hold(self) -> float:
        """How long it lasts (s): until even the slowest of its figures is due."""
        if not self.faults:
            return LENGTH if self.story else self.calm
        if self.lasts:
            return self.lasts
        least = min(fault.share for fault in self.faults)
        slow = any(fault.kind in SLOW for fault in self.faults)
        return 620.0 if least < 0.01 else 130.0 if least < 0.05 or slow else 64.0

    @property
    def tail(self) -> float:
        """How long it is watched after the cure (s)."""
        if not self.faults:
            return 0.0
        least = min(fault.share for fault in self.faults)
        return 280.0 if least < 0.01 else 80.0 if least < 0.05 else 50.0

    def drawn(self, rng: Random) -> tuple[Ingredient, ...]:
        """Its faults, with those that each run draws for itself: of different kinds."""
        pool = list(DRAWN)
        rng.shuffle(pool)
        found = []
        for fault in self.faults:
            if fault.kind != ANY:
                found.append(fault)
                continue
            kinds = pool.pop()
            lossy = [kind for kind in kinds if fault.share >= 1 or kind in LOSSY or kind in SHARED]
            while not lossy:
                kinds = pool.pop()
                lossy = [kind for kind in kinds if kind in LOSSY or kind in SHARED]
            found.append(msgspec.structs.replace(fault, kind=rng.choice(lossy)))
        return tuple(found)


def parse(text: str) -> Row:
    """Reads "KIND [loss SHARE] [MANNER]", several with " + " between, for "for SECONDS" where that is said last; or
    "story NAME", or "healthy [SECONDS]", 300 unless given. Raises ValueError."""
    words = text.split()
    if words[:1] == [HEALTHY] and len(words) <= 2:
        return Row(calm=float(words[1])) if words[1:] else Row()
    if words[:1] == [STORY]:
        if " ".join(words[1:]) not in STORIES:
            raise ValueError(f'"{text}" is no story, expected one of {", ".join(STORIES)}')
        return Row(story=words[1])
    faults, _, lasts = text.partition(" for ")
    return Row(tuple(_fault(part) for part in faults.split("+")), lasts=float(lasts or 0.0))


def _fault(text: str) -> Ingredient:
    words = text.split()
    if not words or words[0] not in (ANY, *FAULTS):
        raise ValueError(f'"{text.strip()}" names no fault, expected one of {ANY}, {", ".join(FAULTS)}')
    share, manner, rest = 1.0, "steady", words[1:]
    if rest[:1] == ["loss"] and len(rest) > 1:
        share, rest = float(rest[1]), rest[2:]
    if rest[:1] and rest[0] in MANNERS:
        manner, rest = rest[0], rest[1:]
    if rest or not 0 < share <= 1:
        raise ValueError(f'"{text.strip()}" is no row, expected "KIND [loss SHARE] [{"|".join(MANNERS)}]"')
    return Ingredient(words[0], share, manner)


LOSSY = (
    "node", "node_in", "node_out", "pod_network", "pod_network_in", "pod_network_out", "zone_pair", "zone_pair_both",
    "pair", "pair_both", "pair_pod", "pair_udp",
)  # fmt: skip
"""Faults of any loss."""

SHARED = (
    "pair_port", "dns_udp", "dns_tcp", "dns_silent", "dns_all_udp", "dns_node", "service_proxy", "api_silent",
)  # fmt: skip
"""Faults of a great loss; less of it takes longer than the table lasts."""

FAMILY = ("node_family", "node_family_in", "node_family_out", "pair_family")
"""Faults that need two address families."""

_FAILING = ("api_failing", "ingress_failing", "outside_failing", "dns_servfail")
_HARD = (
    "pair_mtu", "node_mtu", "node_mtu_both", "dns_gone", "dns_refusing", "dns_empty", "dns_all_silent",
    "dns_all_servfail", "dns_all_gone", "dns_upstream", "api_gone", "ingress_silent", "outside_silent",
    "node_target", "zone_target", "service_silent",
    "agent_gone", "agent_gone_one", "agent_frozen", "node_dead", "zone_dead", "zone_most_dead", "api_outage",
)  # fmt: skip
SLOW = ("link_rate", "api_slow", "node_slow", "pair_slow", "zone_pair_slow", "dns_slow")
"""Faults of speed, which are told only after a minute."""

DRAWN = (
    ("node", "node_in", "node_out", "node_dead"),
    ("pod_network", "pod_network_in", "pod_network_out"),
    ("zone_pair", "zone_pair_both"),
    ("pair", "pair_both", "pair_udp", "pair_port", "pair_mtu"),
    ("dns_udp", "dns_tcp", "dns_silent", "dns_gone", "dns_all_udp", "dns_node"),
    ("api_silent", "api_gone"),
    ("ingress_silent",),
    ("agent_gone", "agent_frozen"),
)
"""Groups of kinds among which several faults at once are drawn, at most one of each group."""


def shapes(row: Row, shape: Shape) -> list[Shape]:
    """The shapes in which the row is played: with two address families where one is at fault, with rosters that lag in
    stories, and, where nothing is wrong, with every background, unless one was chosen."""
    replace = msgspec.structs.replace
    if any(fault.kind in FAMILY for fault in row.faults):
        return [replace(shape, families=(4, 6))]
    if row.story:
        return [replace(shape, lag=max(shape.lag, LAG))]
    if row.faults or shape.background or shape.bursts:
        return [shape]
    usual = [replace(shape, background=share) for share in BACKGROUNDS]
    return [*usual, replace(shape, bursts=True), replace(shape, starved=0.05, clocks=True, unread=0.1)]


def usual() -> list[str]:
    """The rows of a whole sweep."""
    rows = [f"{kind} loss {share:g}" for share in (1.0, 0.3, 0.1, 0.02, 0.005) for kind in LOSSY]
    rows += [f"{kind} loss {share:g}" for share in (1.0, 0.3) for kind in SHARED]
    rows += [f"{kind} loss {share:g}" for share in (1.0, 0.3) for kind in FAMILY]
    rows += [f"{kind} loss {share:g}" for share in (1.0, 0.1) for kind in _FAILING]
    rows += ["conntrack_full loss 0.3", "conntrack_full", "new_flows_in"]
    rows += [f"network loss {share:g}" for share in (1.0, 0.3, 0.1)]
    rows += [*_HARD, *SLOW]
    rows += [f"{kind} loss 0.3 {manner}" for kind in ("node", "pod_network", "pair") for manner in MANNERS[1:3]]
    rows += [f"{kind} flapping" for kind in ("node", "pod_network", "pair")]
    rows += [" + ".join([f"{ANY} loss {share:g}"] * count) for share in (1.0, 0.3) for count in (2, 3)]
    rows += [f"{STORY} {name}" for name in STORIES]
    return [HEALTHY, *(str(parse(row)) for row in rows)]

"""Rows of the table: which faults, at which loss and in which manner, and how long they last."""

from __future__ import annotations

import msgspec

from bench.diagnosis.faults import FAULTS

MANNERS = ("steady", "bursty", "flapping")


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
    """Faults that begin together. No fault at all is `healthy`."""

    faults: tuple[Ingredient, ...]

    def __str__(self) -> str:
        return " + ".join(map(str, self.faults)) or "healthy"

    @property
    def hold(self) -> float:
        """How long it lasts (s): until even the slowest of its figures is due."""
        least = min((fault.share for fault in self.faults), default=1.0)
        return 620.0 if least < 0.01 else 130.0 if least < 0.05 else 64.0

    @property
    def tail(self) -> float:
        """How long it is watched after the cure (s)."""
        least = min((fault.share for fault in self.faults), default=1.0)
        return 280.0 if least < 0.01 else 80.0 if least < 0.05 else 50.0


def parse(text: str) -> Row:
    """Reads "KIND [loss SHARE] [MANNER]", several with " + " between, or "healthy". Raises ValueError."""
    if text.strip() == "healthy":
        return Row(())
    return Row(tuple(_fault(part) for part in text.split("+")))


def _fault(text: str) -> Ingredient:
    words = text.split()
    if not words or words[0] not in FAULTS:
        raise ValueError(f'"{text.strip()}" names no fault, expected one of {", ".join(FAULTS)}')
    share, manner, rest = 1.0, "steady", words[1:]
    if rest[:1] == ["loss"]:
        share, rest = float(rest[1]), rest[2:]
    if rest[:1] and rest[0] in MANNERS:
        manner, rest = rest[0], rest[1:]
    if rest or not 0 < share <= 1:
        raise ValueError(f'"{text.strip()}" is no row, expected "KIND [loss SHARE] [{"|".join(MANNERS)}]"')
    return Ingredient(words[0], share, manner)


_LOSSY = (
    "node", "node_in", "node_out", "pod_network", "pod_network_in", "pod_network_out", "zone_pair", "zone_pair_both",
    "pair", "pair_both", "pair_udp",
)  # fmt: skip
_SHARED = (
    "node_family", "pair_family", "pair_port", "dns_udp", "dns_tcp", "dns_silent", "dns_all_udp", "dns_from_node",
    "service_proxy", "api_silent",
)  # fmt: skip
_FAILING = ("api_failing", "ingress_failing", "outside_failing", "dns_servfail")
_HARD = (
    "pair_mtu", "node_mtu", "node_mtu_both", "dns_gone", "dns_refusing", "dns_empty", "dns_all_silent",
    "dns_all_servfail", "dns_all_gone", "dns_upstream", "api_gone", "api_slow", "ingress_silent", "outside_silent",
    "agent_gone", "agent_frozen", "node_dead", "slow_node", "slow_pair", "slow_zone_pair", "slow_dns",
)  # fmt: skip


def usual() -> list[str]:
    """The rows of a whole sweep with one fault each."""
    rows = [f"{kind} loss {share:g}" for share in (1.0, 0.3, 0.1, 0.02, 0.005) for kind in _LOSSY]
    rows += [f"{kind} loss {share:g}" for share in (1.0, 0.3) for kind in _SHARED]
    rows += [f"{kind} loss {share:g}" for share in (1.0, 0.1) for kind in _FAILING]
    rows += _HARD
    rows += [f"{kind} loss 0.3 bursty" for kind in ("node", "node_in", "pod_network", "zone_pair", "pair")]
    rows += [f"{kind} flapping" for kind in ("node", "pod_network", "pair")]
    return ["healthy", *(str(parse(row)) for row in rows)]

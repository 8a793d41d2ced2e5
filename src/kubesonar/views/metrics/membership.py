"""Metrics of the election and of failure detection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from kubesonar.core.telemetry.instruments import Labels
from kubesonar.model import Condition, Network
from kubesonar.views.metrics.exposition import Metric, Series

COORDINATOR_METRIC = Metric("kubesonar_coordinator", "gauge", "1 at the member that coordinates, 0 elsewhere.")
LED = Metric("kubesonar_coordinator_known", "gauge", "1 where a coordinator is known, 0 while there is none.")
FOLLOWERS = Metric("kubesonar_coordinator_followers", "gauge", "Members that the coordinator hears; only there.")
SPEAKS_FOR = Metric(
    "kubesonar_coordinator_speaks_for",
    "gauge",
    "1 for each network of which a majority follows this coordinator, 0 for others; only there.",
    ("network",),
)
SUSPECTED = Metric(
    "kubesonar_members_suspected",
    "gauge",
    "Members that do not answer this one, by what is held of them; suspect: not judged yet.",
    ("condition",),
)
ANNOUNCED = Metric(
    "kubesonar_announcements_total", "counter", "What this member told the outside as coordinator.", ("condition",)
)
MESSAGES = Metric(
    "kubesonar_messages_total", "counter", "Members' messages that came here, by what became of them.", ("outcome",)
)

MEMBERSHIP_METRICS = (COORDINATOR_METRIC, LED, FOLLOWERS, SPEAKS_FOR, SUSPECTED, ANNOUNCED, MESSAGES)
"""All metrics in the order of the exposition."""


class MembershipFacts(msgspec.Struct, frozen=True):
    """Figures of a member: the coordinator's name (empty: none), whether it is `mine`, how many `followers` it has
    then and for which networks it `speaks`, the suspected members with their condition, announcements by condition, and
    messages by outcome."""

    coordinator: str
    mine: bool
    followers: int
    speaks: Mapping[Network, bool]
    suspected: Mapping[str, Condition | None]
    announced: Mapping[Condition, int]
    messages: Mapping[str, int]


def membership_families(facts: MembershipFacts) -> Iterator[tuple[Metric, Series]]:
    """Yield the families of one scrape in the order of `MEMBERSHIP_METRICS`."""
    held = Counter((condition or Condition.SUSPECT).value for condition in facts.suspected.values())
    suspected: dict[Labels, float] = {
        (condition.value,): held[condition.value]
        for condition in (Condition.SUSPECT, Condition.DEAD, Condition.GONE, Condition.FROZEN)
    }
    yield COORDINATOR_METRIC, {(): int(facts.mine)}
    yield LED, {(): int(bool(facts.coordinator))}
    yield FOLLOWERS, {(): facts.followers} if facts.mine else {}
    yield SPEAKS_FOR, {(network.value,): int(speaks) for network, speaks in facts.speaks.items()} if facts.mine else {}
    yield SUSPECTED, suspected
    yield ANNOUNCED, {(condition.value,): count for condition, count in facts.announced.items()}
    yield MESSAGES, {(outcome,): count for outcome, count in facts.messages.items()}

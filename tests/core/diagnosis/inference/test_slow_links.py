from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.evidence import Speed
from kubesonar.core.diagnosis.inference.slow_links import SLOW, SlowLink, slow_links
from kubesonar.core.diagnosis.population import standing
from kubesonar.model import SCHEMA, Member, Network, Roster, Snapshot

NOW = 1_000_000.0
MEMBERS = tuple(
    Member(f"{node}-{network}", node, (f"192.0.2.{number}",), 7473, network)
    for number, (node, network) in enumerate((node, network) for node in "abc" for network in Network)
)


def found(*speeds: Speed) -> list[SlowLink]:
    roster = Roster("1", MEMBERS)
    return slow_links(standing([Snapshot(SCHEMA, MEMBERS[0], NOW, NOW - 900.0, roster)], {}, NOW), speeds)


def into(target: str, *rates: float, network: str = "pod", age: float = 0.0) -> list[Speed]:
    """Measurements from both others, each second one, the last one `age` seconds ago."""
    measured = tuple((NOW - age - index, rate) for index, rate in reversed([*enumerate(reversed(rates))]))
    return [Speed(f"{source}-{network}", f"{target}-{network}", measured) for source in "abc" if source != target]


@pytest.mark.parametrize(
    ("rates", "slow"),
    [
        ((2e6,), True),
        ((2e6, 2e6, 0.0), True),
        ((2e6, 0.0, 2e6), True),
        ((0.0, 2e6), True),
        ((2e6, 0.0), False),
        ((2e6, 0.0, 0.0), False),
        ((0.0, 0.0, 0.0, 0.0, 2e6, 2e6), True),
        ((2e6, 2e6, 2e6, 2e6, 0.0, 0.0), False),
        ((1e9, SLOW, SLOW), False),
    ],
)
def test_a_link_is_slow_by_most_of_the_newest_measurements(rates: tuple[float, ...], slow: bool) -> None:
    links = found(*into("c", *rates))
    assert links == ([SlowLink("c", 2e6, ("a", "b"), 2)] if slow else [])


def test_measurements_of_all_networks_count_together_by_when_they_were_made() -> None:
    """At default rates each network and family is measured once a minute, so that one of them is older than a fault."""
    before, since = into("c", 0.0, 0.0, network="host", age=40.0), into("c", 2e6, 2e6, age=5.0)
    assert [link.node for link in found(*before, *since)] == ["c"]
    cured = into("c", 0.0, 0.0, network="host", age=1.0)
    assert found(*since, *cured) == []


def test_a_single_peer_that_measures_slowly_is_no_slow_link() -> None:
    assert found(*into("c", 2e6, 2e6, 2e6)[:1], *into("c", 0.0, 0.0, 0.0)[1:]) == []

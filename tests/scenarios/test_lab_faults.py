"""A lab with real packets, broken in one way after the other: each fault is named rightly, and forgotten when it is
gone. Nodes that are cut off and agents that are gone or frozen: test_lab_membership.py; a pod network that is cut
off: test_lab_stories.py."""

from __future__ import annotations

import pytest

from tests.lab.inside import needs_nft
from tests.scenarios.running_lab import RunningLab
from tests.scenarios.verdicts import settle

pytestmark = [pytest.mark.lab, needs_nft, pytest.mark.usefixtures("healed")]

ALONE = [
    ("drop node-1>node-4", "pair", "node-1>node-4"),
    ("udp node-4>node-1", "pair_udp", "node-4>node-1"),
    ("port node-1>node-2 tcp/7473", "pair_port", "node-1>node-2 tcp/7473"),
    ("rate node-2 2000", "link_rate", "node-2"),
    ("dns dns-1 udp", "dns_udp", "dns-1"),
]


@pytest.mark.parametrize(("fault", "part", "subject"), ALONE)
def test_a_fault_alone(lab: RunningLab, fault: str, part: str, subject: str) -> None:
    lab.order(fault)
    settle(lab, frozenset({(part, subject)}))

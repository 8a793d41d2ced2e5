"""A lab with a DNS Service, caches and an upstream: each is named rightly when it is broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.inside import needs_nft
from tests.scenarios.running_lab import RunningLab
from tests.scenarios.verdicts import settle

pytestmark = [pytest.mark.lab, needs_nft]

FAULTS = [
    ("vip node-2", "dns_node", "node-2>dns"),
    ("cache node-3", "dns_cache", "node-3"),
    ("upstream", "dns_upstream", "upstream"),
]


@pytest.fixture(scope="module")
def dns_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with RunningLab(tmp_path_factory.mktemp("dns"), nodes=3, dns=True) as lab:
        yield lab


@pytest.mark.parametrize(("fault", "part", "subject"), FAULTS)
def test_what_stands_between_a_node_and_dns_is_named(dns_lab: RunningLab, fault: str, part: str, subject: str) -> None:
    settle(dns_lab, frozenset())
    dns_lab.order(fault)
    settle(dns_lab, frozenset({(part, subject)}))
    dns_lab.order("clear")
    settle(dns_lab, frozenset())

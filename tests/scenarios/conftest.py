"""One lab for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.inside import in_namespaces
from tests.scenarios.running_lab import RunningLab, await_good

NODES = 4
"""Nodes of the lab: with three, a fault of a node and one of a pair besides are hard to tell apart; what agents cost
grows with the square."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    in_namespaces(lambda: None)  # skips where there are none
    with RunningLab(tmp_path_factory.mktemp("l"), NODES) as running:
        await_good(running)
        yield running


@pytest.fixture
def healed(lab: RunningLab) -> Iterator[None]:
    """After the test nothing is broken, and all is well again."""
    yield
    lab.order("clear")
    await_good(lab)

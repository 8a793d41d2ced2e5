"""Losses that are drawn anew: as many as the components lose, of a cluster that is left as it was."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from bench.diagnosis.cluster import Shape
from bench.diagnosis.redrawn import Redrawn
from bench.diagnosis.simulation import Simulation
from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.joining.join import Basis, basis
from kubesonar.core.diagnosis.parts.traversal import Way
from kubesonar.model import Kind


@pytest.fixture(scope="module")
def redrawn() -> Redrawn:
    simulation = Simulation(Shape(nodes=3), 11)
    simulation.run(200.0)
    read = simulation.read()
    found = basis(read.snapshots, read.unread, simulation.cluster.epoch + simulation.now)
    return Redrawn(found, simulation.cluster.places)


def trains(found: Basis) -> list[Cell]:
    """The cells of trains there, from the host network of a node to that of another."""
    hosts = "node-1-host", "node-2-host"
    routes = [(cell, cell.route) for cell in found.evidence.cells]
    return [
        cell
        for cell, route in routes
        if route.kind is Kind.UDP
        and route.way is Way.FORWARD
        and cell.packets > 1
        and route.source.name in hosts
        and route.target.name in hosts
    ]


def bad(cells: Iterable[Cell]) -> int:
    return sum(sum(cell.bad) for cell in cells)


def test_each_component_on_the_way_loses_its_share(redrawn: Redrawn) -> None:
    cells = [cell for number in range(40) for cell in trains(redrawn.window(Random(number), 0.01))]
    # A train of seven between two zones crosses node_out, zone, pair and node_in.
    assert bad(cells) / sum(sum(cell.total) for cell in cells) == pytest.approx(1 - 0.99 ** (4 * 7), rel=0.1)
    assert sum(len(cell.bad_at) for cell in cells) == bad(cells)


def test_without_loss_nothing_is_bad_and_windows_are_independent(redrawn: Redrawn) -> None:
    assert bad(redrawn.window(Random(1), 0.01).evidence.cells) > 0
    assert bad(redrawn.window(Random(1), 0.0).evidence.cells) == 0


def test_a_seed_draws_the_same_again(redrawn: Redrawn) -> None:
    first, again = (redrawn.window(Random(5), 0.003, bursts=True).evidence.cells for _ in range(2))
    assert [cell.bad_at for cell in first] == [cell.bad_at for cell in again]


def test_a_burst_of_the_past_leaves_trains_that_do_not_count(redrawn: Redrawn) -> None:
    cells = [cell for number in range(20) for cell in redrawn.window(Random(number), 0.0, bursts=True).evidence.cells]
    assert any(cell.gone_at for cell in cells)
    assert all(sum(cell.bad) <= sum(cell.total) for cell in cells)

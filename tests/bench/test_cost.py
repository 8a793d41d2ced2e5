"""What docs/cost.md says agents cost follows from the plan and the budgets in force, and from what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench._wire import OnWire
from bench.cost import SIZES, Cost, cost

ROOT = Path(__file__).parents[2]


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each row of the page's tables, by the first of them."""
    lines = [line.strip("| \n") for line in (ROOT / page).read_text().splitlines() if line.startswith("|")]
    return {
        cells[0].rstrip(" *"): cells[1:] for cells in ([cell.strip() for cell in line.split("|")] for line in lines)
    }


@pytest.fixture(scope="module")
def costs() -> list[Cost]:
    """Of the sizes of cluster that the page has, with the packets and bytes of one probe as they were measured."""
    measured = {
        name: OnWire(float(cells[0].replace(",", "")), float(cells[1].replace(",", "")), 0.0, 0)
        for name, cells in rows("bench/results/cost.md").items()
        if len(cells) == 4 and cells[0].isdigit()
    }
    return [cost(agents, dns_pods, measured) for agents, dns_pods in SIZES]


def test_the_price_of_one_agent(costs: list[Cost]) -> None:
    page = rows("docs/cost.md")
    assert page["packets a second, both ways, of its own probes"] == [f"{one.packets:.0f}" for one in costs]
    assert page["IP kB a second, both ways, of its own probes"] == [f"{one.octets / 1000:.1f}" for one in costs]
    assert page["conntrack entries of its own probes"] == [f"{one.entries:.0f}" for one in costs]
    assert page["checks"] == [str(one.checks) for one in costs]


@pytest.mark.parametrize(
    ("option", "shared", "check"),
    [
        ("`budget.api`", "api", ("http", "api_direct")),
        ("`budget.service`", "service", ("http", "service")),
        ("`budget.ingress`", "ingress", ("http", "ingress")),
    ],
)
def test_what_all_agents_ask_of_what_they_share(
    costs: list[Cost], option: str, shared: str, check: tuple[str, str]
) -> None:
    told = [cell.replace(".0/s", "/s") for cell in rows("docs/cost.md")[option][2:]]
    expected = [f"{one.together[shared]:.1f}/s, each {one.periods[check]:.0f} s" for one in costs]
    assert told == [cell.replace(".0/s", "/s") for cell in expected]


def test_packets_while_all_is_well_are_at_most_a_tenth_more_than_before_trains_filled_the_path(
    costs: list[Cost],
) -> None:
    before = (91, 95, 95)
    assert all(one.packets <= 1.1 * packets for one, packets in zip(costs, before, strict=True))

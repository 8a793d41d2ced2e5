"""A lab without a collector, whose elected agent judges: it knows and shows what was broken, and so does the next."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

from kubesonar.apps.client.collector_client import CollectorSilent
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from tests.apps.agents import until
from tests.lab.inside import in_namespaces, needs_nft
from tests.scenarios.running_lab import RunningLab, await_good

LATE = 120.0
"""Seconds for what takes 20 on a machine that is not busy."""

pytestmark = [pytest.mark.lab, needs_nft]


def remembered(lab: RunningLab, names: list[str], subject: str) -> IncidentRecord | None:
    """What the collector beside one of these agents has of that subject; None while none has."""
    for name in names:
        try:
            found = lab.history(name)
        except CollectorSilent:
            continue
        for record in found:
            if record.finding.subject == subject:
                return record
    return None


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_elected_agent_knows_what_is_broken_and_its_successor_goes_on_with_the_incident(tmp_path: Path) -> None:
    in_namespaces(lambda: None)  # skips where there are none
    with RunningLab(tmp_path, nodes=4, judge=True) as lab:
        await_good(lab, LATE)
        members = [f"node-{number}-{network}" for number in range(1, 5) for network in ("host", "pod")]
        lab.order("dns dns-1 udp")
        first = until(lambda: remembered(lab, members, "dns-1"), LATE)
        shown = until(lambda: urlopen(f"{lab.page}now", timeout=60).read().decode(), LATE)
        assert "dns-1" in shown
        until(lambda: [told for told in lab.told() if told.subject == "dns-1"], LATE)  # then all agents hold it
        (coordinator,) = set(until(lambda: {name for name in lab.coordinators().values() if name}, LATE))
        home = coordinator.rpartition("-")[0]
        lab.order(f"kill {home}")
        left = [name for name in members if not name.startswith(f"{home}-")]
        second = until(lambda: remembered(lab, left, "dns-1"), LATE)
        assert second.id == first.id

"""Old and new speak: a rollout of another wire version and key is no outage."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.model import Health
from tests.scenarios.rolling_mesh import RollingMesh

AGENTS = 5


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_rollout_of_wire_version_and_key_and_back_yields_no_finding_and_no_notice(tmp_path: Path) -> None:
    with RollingMesh(tmp_path, AGENTS, version=2) as mesh:
        for version in (3, 2):
            mesh.roll(version)
            mesh.watch(2.0)
            mesh.until(lambda scene: scene.verdict.verdict is Health.GOOD and not scene.verdict.unknown)
        assert not mesh.findings, [finding.sentence for finding in mesh.findings]
        assert mesh.deaths() == []

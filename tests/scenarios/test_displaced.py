"""Another member starts at the address of one that was killed, while rosters lag."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import Assessment, assess
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.model import Health, Verdict
from tests.apps.agent.test_membership_service import Mesh
from tests.apps.agents import FAST, RunningAgent, tree, until
from tests.apps.hooks import receiving


def look(mesh: Mesh, names: str) -> Assessment:
    return asking.run_async(assess([SnapshotSource(f"http://127.0.0.1:{mesh.ports[name]}") for name in names]))


def displaced(verdict: Verdict) -> Verdict | None:
    """The verdict, once the other agent has started and answers."""
    return verdict if "agent_displaced" in [finding.part for finding in verdict.findings] else None


def test_check_and_webhook_both_say_that_somebody_else_answers(tmp_path: Path) -> None:
    with receiving() as hooks, ExitStack() as stack:
        mesh = Mesh(tmp_path, stack, "abc", hooks, plan={"families": [4], **FAST})
        coordinator = until(mesh.coordinator)
        victim = min(set("abc") - {coordinator})
        rest = "".join(sorted(set("abc") - {victim}))
        until(lambda: look(mesh, "abc").verdict.verdict is Health.GOOD)
        mesh.kill(victim)
        other = tree("d", mesh.ports[victim], tmp_path / "members.json", keys={"file": str(tmp_path / "keys")})
        with RunningAgent(tmp_path, "d", **other):
            notice = until(lambda: hooks.told("gone", victim))
            assert f"the agent {victim} is gone" in notice["sentence"]  # by whichever was seen first
            verdict = until(lambda: displaced(look(mesh, rest).verdict))
            assert [(finding.part, finding.subject) for finding in verdict.findings] == [("agent_displaced", victim)]
            assert verdict.sentence.startswith(f"somebody else answers at 127.0.0.1, the address of {victim}, since ")
        mesh.restart(victim)
        until(lambda: hooks.told("back", victim))
        until(lambda: look(mesh, "abc").verdict.verdict is Health.GOOD)
        assert not [body for body in hooks.bodies if body["data"]["what"] in ("dead", "frozen")]

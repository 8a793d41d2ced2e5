"""The lab as a person meets it: a verdict, an exit code, and sentences for what cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.lab.mesh import Rates, agent_options
from kubesonar.apps.lab.page_socket import page_address, page_socket
from kubesonar.apps.lab.settling import AT_MOST, AT_MOST_BROKEN, Settling
from kubesonar.cli import main
from kubesonar.lab.directory import Directory
from kubesonar.lab.faults import VERBS
from kubesonar.lab.topology import plan_lab
from kubesonar.lab.world import LabWorld
from kubesonar.model import Finding, Health, Verdict
from tests.lab.inside import needs_nft


def kubesonar(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kubesonar", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def verdict(health: Health, *parts: str) -> Verdict:
    findings = tuple(Finding(part, "node-1", "loss", None, 1.0, part) for part in parts)
    return Verdict(health, "so", 0.0, findings)


@pytest.mark.lab
@needs_nft
def test_a_fault_from_the_start_is_named_and_gives_exit_code_1(tmp_path: Path) -> None:
    done = kubesonar("lab", "--nodes", "3", "--fault", "cut node-2", "--json", "--directory", str(tmp_path / "lab"))
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "bad"
    assert [(finding["part"], finding["subject"]) for finding in answer["findings"]] == [("node", "node-2")]
    assert not (tmp_path / "lab").exists()


@pytest.mark.lab
@pytest.mark.long
def test_agents_frozen_from_the_start_are_frozen_and_not_gone_and_the_verdict_is_said_once(tmp_path: Path) -> None:
    done = kubesonar("lab", "--nodes", "3", "--fault", "pause node-2", "--once", "--directory", str(tmp_path / "lab"))
    lines = done.stdout.splitlines()
    assert done.returncode == 1, done.stderr
    assert lines[0] == "the agents on node-2 are frozen, its host answers"
    assert lines.count(lines[0]) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("lab", "--fault", "cut node-9"), 'node: got "node-9", expected one of node-1, node-2'),
        (("lab", "--nodes", "1"), "--nodes"),
        (("lab", "--judge", "--collectors", "1"), "--judge: expected no --collectors, got 1"),
        (("lab", "--judge", "--nodes", "26"), "--judge: expected --nodes up to 25, got 26"),
        (("lab", "fault", "--directory", "/nonexistent", "clear"), "no lab runs in /nonexistent"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def test_the_help_shows_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "fault", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(verb.syntax in said for verb in VERBS)


def test_a_verdict_stands_once_it_has_not_changed_for_a_while() -> None:
    settling = Settling(0.0, quick=False)
    assert not settling.settled(5.0, verdict(Health.BAD, "pair"))
    assert not settling.settled(10.0, verdict(Health.BAD, "node"))
    assert not settling.settled(12.0, verdict(Health.BAD, "node"))
    assert settling.settled(13.0, verdict(Health.BAD, "node"))


def test_at_default_rates_a_verdict_takes_three_times_as_long() -> None:
    settling = Settling(0.0, quick=True, slow=True)
    settling.settled(10.0, verdict(Health.GOOD))
    assert not settling.settled(17.0, verdict(Health.GOOD))
    assert settling.settled(18.0, verdict(Health.GOOD))


def test_at_default_rates_an_agent_of_the_lab_probes_as_one_that_is_told_nothing(tmp_path: Path) -> None:
    world = LabWorld(plan_lab(3), Directory(tmp_path / "lab"))
    lab, default = (agent_options(world, world.plan.members[0], (), rates) for rates in Rates)
    told = AgentOptions()
    assert (default.plan, default.schedule, default.udp) == (told.plan, told.schedule, told.udp)
    assert lab.plan.udp.period < default.plan.udp.period


def test_good_is_believed_early_only_where_nothing_was_broken() -> None:
    for quick in (True, False):
        settling = Settling(0.0, quick=quick)
        settling.settled(1.0, verdict(Health.GOOD))
        assert settling.settled(8.0, verdict(Health.GOOD)) is quick
        assert settling.settled(AT_MOST if quick else AT_MOST_BROKEN, verdict(Health.GOOD))


def test_unknown_is_waited_out() -> None:
    settling = Settling(0.0, quick=True)
    settling.settled(0.5, verdict(Health.UNKNOWN))
    assert not settling.settled(14.0, verdict(Health.UNKNOWN))
    assert settling.settled(15.0, verdict(Health.UNKNOWN))


def test_labs_that_start_at_the_same_moment_have_pages_of_their_own() -> None:
    labs, times = 8, 30
    together = Barrier(labs, timeout=30)

    def address() -> str:
        together.wait()
        with page_socket(wanted=True) as page:
            assert page is not None
            together.wait()
            return page_address(page)

    with ThreadPoolExecutor(labs) as started:
        for _ in range(times):
            found = [started.submit(address) for _ in range(labs)]
            assert len({each.result(30) for each in found}) == labs

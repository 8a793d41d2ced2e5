"""Every command line of the pages is run here, or stands below with the reason why not; what console sessions show is
what is printed, numbers aside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubesonar.api.documents import IncidentPage, MatrixDocument, NoticePage, VerdictDocument
from kubesonar.cli import main
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord, RecordedChange
from kubesonar.core.encoding import encode_json
from kubesonar.model import Finding, Health, Network, Verdict
from kubesonar.net.clock import SystemClock
from tests.apps.kubectl.installation import collector
from tests.apps.listening import answer, answers, on_sockets
from tests.core.mesh import Mesh
from tests.docs.blocks import DocumentedCommand, documented, masked
from tests.kube.apiserver import ApiServer
from tests.lab.inside import needs_nft

NOT_RUN = {
    r"docker |kind |kubectl (?!sonar)": "needs a cluster, a registry or Docker",
    r"helm ": "needs a cluster; tests/deploy renders the chart with both helms",
    r"pip install": "needs a package registry",
    r"scripts/(test|check|bench|docs|monitoring|lock)\Z": "takes minutes, or is what runs these tests",
    r"scripts/lab\Z|kubesonar agent |kubectl sonar (map|page|check --watch)\Z": "lasts until Ctrl-C; tests/apps",
    r"promtool": "tests/deploy/test_prometheus.py runs it",
    r".*(http://AGENT|http://10\.0\.1\.2|127\.77\.0\.1|http://127\.0\.0\.1:7473)": "an address of somebody's agent",
    r"kubectl sonar try": "five minutes long; tests/apps/kubectl/test_trial.py",
    r"(kubesonar|kubectl sonar) dns": "needs DNS servers; tests/apps/dns",
    r"kubesonar check --from": "a file of its moment; tests/apps/test_support.py",
    r"tail ": "the last notice is that of whatever dies last",
}
"""Command lines that are not run here, as patterns of their beginning, and why."""

IN_A_FOLDER = r"kubesonar (simulate|keys make|keys sign|keys remove)|echo |printf |kubectl sonar --help"
IN_A_CLUSTER = r"kubectl sonar (check|history|explain|support|map --once)"
IN_A_LAB = r"scripts/lab --once|kubesonar (lab fault|check|map|history|explain|support)"

ALL = documented()


def _left_out(command: DocumentedCommand) -> bool:
    return any(re.match(pattern, command.line) for pattern in NOT_RUN)


def _run_by(pattern: str) -> list[DocumentedCommand]:
    return [command for command in ALL if re.match(pattern, command.line) and not _left_out(command)]


def test_every_command_is_run_or_has_a_reason() -> None:
    ways = (IN_A_FOLDER, IN_A_CLUSTER, IN_A_LAB)
    found = {command.line: sum(bool(re.match(way, command.line)) for way in ways) for command in ALL}
    assert [line for line, count in found.items() if count > 1] == []
    assert [command.line for command in ALL if not found[command.line] and not _left_out(command)] == []


@pytest.mark.parametrize("pattern", NOT_RUN)
def test_a_reason_is_for_a_command_that_is_there(pattern: str) -> None:
    assert [command.line for command in ALL if re.match(pattern, command.line)]


class Shell:
    """Runs command lines in a folder, with kubesonar and kubectl's plug-in on the path."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        kubesonar = f"exec {sys.executable} -m kubesonar"
        for name, text in {"kubesonar": f'{kubesonar} "$@"', "kubectl": f'shift; {kubesonar} kubectl "$@"'}.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        self._environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "200", **environ}

    def run(self, line: str, codes: Sequence[int] = (0,)) -> list[str]:
        """What it prints. Fails for another exit code, and for usage that is wrong."""
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode in codes, (line, done.stdout, done.stderr)
        assert "--help shows more" not in done.stderr
        return done.stdout.splitlines()


def _compare(command: DocumentedCommand, printed: Sequence[str]) -> None:
    """Each line that the page shows is printed, in that order; numbers may differ, and what a page cuts short with …"""
    left = [masked(line) for line in printed]
    for shown in filter(_fixed, command.printed):
        assert masked(shown) in left, (command.line, shown, printed)
        left = left[left.index(masked(shown)) + 1 :]


def _fixed(line: str) -> bool:
    """Whether a line stands for itself: no evidence, whose counts decide the order, and no row of a map."""
    return bool(line.strip()) and "…" not in line and not re.match(r" {2,}|node-\d+ ", line)


TWO_FAULTS = {
    "kubesonar check": Mesh().cut("node-3", 7.0),
    "kubesonar map --once": Mesh().cut("node-4", 7.0, network=Network.POD),
}
"""The sessions of docs/check.md, and the mesh that each was held in; node-1 loses 10 % of what it sends to node-2."""


@pytest.mark.parametrize("line", TWO_FAULTS)
def test_two_faults_at_once_are_told_as_the_page_shows_them(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (command,) = [each for each in ALL if (each.page, each.line) == ("docs/check.md", line) and each.printed]
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "60")
    with on_sockets(tmp_path, answers(TWO_FAULTS[line].drop("node-1", "node-2", 0.1, 7.0))):
        assert main([*line.split()[1:], str(tmp_path)]) == (0 if "map" in line else 1)
    printed = capsys.readouterr().out.splitlines()
    left = [masked(each) for each in printed]
    shown = [masked(each) for each in command.printed if each.strip() and not _EVIDENCE.search(each)]
    assert len(shown) >= 6
    for each in shown:
        assert each in left, (each, printed)
        left = left[left.index(each) + 1 :]


_EVIDENCE = re.compile(r" bad\Z|…|rather than ")
"""Lines of a finding's evidence, whose order counts decide, as they do the explanation that it is preferred to."""


def test_in_a_folder(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.run("kubesonar keys make --append keys")  # the key that the pages rotate away from
    for command in _run_by(IN_A_FOLDER):
        _compare(command, shell.run(command.line))


SICK = Finding("node", "node-3", "cut", None, 0.9, "node-3 is cut off", evidence=("8 of 8 observers agree",))


def _told(request: bytes) -> bytes | None:
    now = SystemClock().wall()
    document: Any = VerdictDocument(1, Verdict(Health.GOOD, "all well", now, members=3, observers=3), "")
    if b"/incidents" in request:
        changes = (RecordedChange(now - 60, "opened", SICK.sentence),)
        document = IncidentPage(1, (IncidentRecord(1, "aa", SICK, now - 60, now - 60, now, None, 0, changes),), "")
    elif b"/notices" in request:
        document = NoticePage(1, (), "")
    elif b"/matrix" in request:
        document = MatrixDocument(1, now, ())
    return answer(encode_json(document))(request)


@pytest.mark.parametrize("line", sorted({command.line for command in _run_by(IN_A_CLUSTER)}))
def test_in_a_cluster(
    cluster: str, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", cluster)
    monkeypatch.chdir(tmp_path)
    assert main(["kubectl", *line.split()[2:]]) == 0
    assert capsys.readouterr().out


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The kubeconfig of a cluster in which the chart is installed, with a collector."""
    folder = tmp_path_factory.mktemp("cluster")
    with ApiServer() as api, collector(api, folder, _told):
        yield api.kubeconfig(folder / "config")


@contextmanager
def _lab(shell: Shell) -> Iterator[None]:
    """A lab of five nodes, where the commands look for one."""
    command = ["sh", "-c", "exec kubesonar lab --collectors 1"]
    environ = shell.run("env")
    with subprocess.Popen(
        command, env=dict(line.partition("=")[::2] for line in environ), stdout=subprocess.DEVNULL
    ) as program:
        try:
            shell.run("kubesonar check --wait 60", (0, 1, 2))
            yield
        finally:
            program.terminate()
            program.wait(30)


@pytest.mark.long
@pytest.mark.lab
@needs_nft
@pytest.mark.timeout(400)
def test_in_a_lab() -> None:
    """What check and map say of two faults at once, as docs/check.md shows it, is compared in a simulated mesh, where
    no other fault is told meanwhile; here they are run."""
    with tempfile.TemporaryDirectory(prefix="ks-") as folder:  # short: paths of Unix sockets are
        shell = Shell(Path(folder), XDG_RUNTIME_DIR=folder)
        commands = _run_by(IN_A_LAB)
        for command in commands:
            if command.line.startswith("scripts/lab"):
                _compare(command, shell.run(command.line.replace("scripts/lab", "kubesonar lab"), (1,)))
        with _lab(shell):
            for command in commands:
                if not command.line.startswith("scripts/lab"):
                    printed = shell.run(command.line, (0, 1, 2))
                    if "lab fault" in command.line:
                        _compare(command, printed)

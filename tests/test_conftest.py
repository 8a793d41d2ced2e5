"""What all tests share: a run of a few tests of their own, as scripts/test makes it, and ports for their servers."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[1]

SKIPS = """
import pytest
from tests.programs import LACKS_HELM, needs

@needs("promtool")
@pytest.mark.parametrize("number", range(2))
def test_promtool(number): ...

def test_helm(): pytest.skip(LACKS_HELM)

def test_otherwise(): pytest.skip("no cluster is given")
"""

CHILD = """
import signal, subprocess, sys

def test_child():
    child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(60)"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.read(1)
    child.send_signal(signal.SIGINT)
    child.communicate()
    assert child.returncode == -signal.SIGINT
"""

HANGS = """
import asyncio, subprocess, uvloop

async def never():
    await asyncio.Event().wait()

def test_process():
    subprocess.run(["/bin/sleep", "600"])

def test_loop():
    asyncio.run(never())

def test_uvloop():
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(never())
"""

LOGS = """
import io, logging

def test_a_program(caplog):
    logging.basicConfig(stream=io.StringIO(), level="INFO", force=True)

def test_what_is_logged_then(caplog):
    logging.getLogger("kubesonar").info("lost")
    logging.getLogger("kubesonar").warning("kept")
    assert [record.getMessage() for record in caplog.records] == ["kept"]
"""

LIMITS = """
import pytest

def test_short(request):
    assert request.config.getini("timeout") == "180"
    assert order == ["long", "lab"]

@pytest.mark.lab
def test_lab(request):
    order.append("lab")
    assert request.node.get_closest_marker("timeout").args == (400,)

@pytest.mark.timeout(500)
def test_long():
    order.append("long")

order = []
"""


def run(folder: Path, text: str, *options: str, wrapper: tuple[str, ...] = (), code: int = 0, **environ: str) -> str:
    """Runs the tests in `text` with the settings and hooks of all, where no program is found; what pytest prints. As in
    scripts/test without a plug-in that costs each process a second."""
    (folder / "test_it.py").write_text(text)
    here = (
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:schemathesis",
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(ROOT),
    )
    done = subprocess.run(
        [*wrapper, sys.executable, "-m", "pytest", *here, *options, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={"PATH": "/", "PYTHONPATH": str(ROOT), **environ},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
def test_the_end_says_in_two_lines_what_was_missed_and_what_installs_it(tmp_path: Path, options: tuple[str]) -> None:
    first, second, last = run(tmp_path, SKIPS, "-m", "not lab", *options).splitlines()[-3:]
    assert first.startswith("Tests skipped because programs are missing: 3."), first
    assert second.endswith("apt-get install -y --no-install-recommends npm prometheus && scripts/helm"), second
    assert "4 skipped" in last


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_was_missed_is_added_up_over_the_parts_of_a_run(tmp_path: Path, options: tuple[str]) -> None:
    for total in (3, 6):
        said = run(tmp_path, SKIPS, *options, SKIPS_FILE=str(tmp_path / "skips"))
        assert f"programs are missing: {total}." in said


def test_children_end_by_sigint_although_the_run_was_started_in_the_background(tmp_path: Path) -> None:
    run(tmp_path, CHILD, wrapper=("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"))


def test_what_hangs_fails_and_the_rest_goes_on(tmp_path: Path) -> None:
    said = run(tmp_path, HANGS, "-o", "timeout=0.5", code=1)
    assert said.count("SystemExit: the time limit of 0.5 s is over") >= 3
    assert "3 failed" in said.splitlines()[-1]


def test_labs_have_longer_and_the_longest_begin(tmp_path: Path) -> None:
    assert "programs are missing" not in run(tmp_path, LIMITS)


def test_what_a_program_sets_of_the_log_ends_with_its_test(tmp_path: Path) -> None:
    assert "2 passed" in run(tmp_path, LOGS)


def test_no_port_is_given_twice_though_nobody_has_bound_it_yet() -> None:
    state = random.getstate()
    first = free_port()
    random.setstate(state)
    assert free_port() != first

"""Nothing outside is touched, and nothing is left behind whatever ends the lab."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.inside import PATIENCE, in_namespaces

_PROGRAM = """
import os, sys, time
from pathlib import Path
from kubesonar.lab.kernel.isolate import run_isolated

def inside(ground):
    grandchild = os.fork()
    if grandchild == 0:
        time.sleep(60)
        os._exit(0)
    print(ground.namespaces, ground.reason, os.readlink("/proc/thread-self/ns/net"), sep="|", flush=True)
    {then}
    return 7

sys.exit(run_isolated(inside, user={user}))
"""


def lab(then: str, *, user: bool = False, wrapper: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [*wrapper, sys.executable, "-c", _PROGRAM.format(then=then, user=user)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> tuple[bool, str, str]:
    assert process.stdout
    namespaces, reason, network = process.stdout.readline().strip().split("|")
    if namespaces != "True":
        process.kill()
        process.communicate()
        pytest.skip(f"needs network namespaces: {reason}")
    return True, reason, network


def members_of(network: str) -> list[int]:
    """Processes in that network namespace, as "net:[4026532281]"."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if str((entry / "ns/net").readlink()) == network:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def vanish(network: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    while members_of(network):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.lab
@pytest.mark.parametrize("user", [False, True])
def test_killing_the_outer_process_leaves_no_process_and_so_no_namespace(user: bool) -> None:
    with lab("time.sleep(60)", user=user) as process:
        _, _, network = first_line(process)
        assert network != str(Path("/proc/self/ns/net").readlink())
        assert len(members_of(network)) >= 3  # init, lab and its child
        process.kill()
        process.communicate()
    assert vanish(network)


@pytest.mark.lab
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_outer_process_ends_the_lab_in_order(number: signal.Signals) -> None:
    then = "try:\n        print('busy', flush=True); time.sleep(60)\n    finally:\n        print('tidied', flush=True)"
    with lab(then) as process:
        _, _, network = first_line(process)
        assert process.stdout and process.stdout.readline() == "busy\n"
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE)
    assert output == "tidied\n"
    assert process.returncode == 128 + number
    assert vanish(network)


@pytest.mark.lab
def test_a_second_signal_ends_a_lab_that_does_not_listen() -> None:
    then = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    with lab(then) as process:
        _, _, network = first_line(process)
        assert process.stdout and process.stdout.readline() == "deaf\n"
        process.terminate()
        time.sleep(0.05)  # two of the same signal at once are one (signal(7))
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGKILL
    assert vanish(network)


@pytest.mark.lab
def test_the_exit_code_is_the_labs_and_its_children_end_with_it() -> None:
    with lab("pass") as process:
        _, _, network = first_line(process)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 7
    assert vanish(network)


@pytest.mark.lab
def test_orphans_are_reaped_and_proc_shows_only_the_inside() -> None:
    def body() -> None:
        child = os.fork()
        if child == 0:
            os.fork()
            os._exit(0)  # both at once: the grandchild is an orphan of process 1
        os.waitpid(child, 0)
        deadline = time.monotonic() + PATIENCE
        while len(pids := [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]) > 2:
            assert time.monotonic() < deadline, pids
            time.sleep(0.01)
        assert os.getppid() == 1

    in_namespaces(body)


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="takes privileges away with setpriv")
def test_without_the_right_to_namespaces_it_says_so_and_runs_outside() -> None:
    without = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")  # uid 0 without CAP_SETFCAP may not be mapped
    with lab("os.kill(grandchild, 9)", wrapper=without) as process:
        output, _ = process.communicate(timeout=PATIENCE)
    namespaces, reason, network = output.strip().split("|")
    assert namespaces == "False"
    assert reason == "this machine or container allows no new namespaces here (Operation not permitted)"
    assert network == str(Path("/proc/self/ns/net").readlink())
    assert process.returncode == 7

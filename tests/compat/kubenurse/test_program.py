"""`kubesonar kubenurse` as a container runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from kubesonar.compat import ROOMS, open_room
from kubesonar.compat.kubenurse.settings import KUBENURSE_VARIABLES
from kubesonar.config import ConfigError
from tests.compat.kubenurse.rig import ALONE
from tests.ports import free_port

REPOSITORY = Path(__file__).parents[3]
ROOM = REPOSITORY / "src/kubesonar/compat/kubenurse"


def program(environ: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kubesonar", "kubenurse", *arguments],
        env={"PATH": os.environ["PATH"], **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as said:
            return bool(said.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize("arguments", [(), ("--some-flag", "of-before")])
def test_kn41_it_starts_by_its_variables_and_passes_over_arguments(arguments: tuple[str, ...]) -> None:
    port = free_port()
    environ = {**ALONE, "KUBENURSE_LISTEN": f"127.0.0.1:{port}", "KUBENURSE_SHUTDOWN_DURATION": "0s"}
    with program({**environ, "HTTPS_PROXY": "", "KUBENURSE_NEIGHBOR_LIMIT": "1"}, *arguments) as process:
        try:
            end = time.monotonic() + 20
            while not answers(port):
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "KUBENURSE_NEIGHBOR_LIMIT sets nothing" in said
    assert ("passed over: --some-flag of-before; " in said) is bool(arguments)


def test_kn10_bad_settings_end_with_2_and_one_sentence() -> None:
    with program({"KUBENURSE_CHECK_INTERVAL": "often"}) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said.startswith('kubesonar: KUBENURSE_CHECK_INTERVAL: got "often", expected a duration as "5s"')
    assert said.splitlines()[1:] == ["kubesonar kubenurse --help shows more"]


def test_help_names_every_variable() -> None:
    with program({}, "--help") as process:
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert all(variable.name in said for variable in KUBENURSE_VARIABLES)
    assert "rounds of checks [5s]" in said
    assert "[:8080]" in said
    assert said.count("[") == 11  # the defaults that are neither empty nor switches


def test_rooms_are_opened_by_name() -> None:
    assert "kubenurse" in ROOMS
    assert open_room("kubenurse", ALONE)
    with pytest.raises(ConfigError, match='there is no room "x", expected'):
        open_room("x", {})


def test_every_quirk_has_a_test_that_carries_its_id() -> None:
    quirks = re.findall(r"^\| (KN-\d\d) \| (kept|mended|switchable) \|", (ROOM / "README.md").read_text(), re.M)
    assert [name for name, _ in quirks] == [f"KN-{number:02}" for number in range(1, len(quirks) + 1)]
    tests = "".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py"))
    carried = set(re.findall(r"def test_(kn\d\d)_", tests))
    assert carried == {name.lower().replace("-", "") for name, _ in quirks}


def test_the_page_for_users_names_every_variable_and_quirk() -> None:
    page = (REPOSITORY / "docs/kubenurse.md").read_text()
    assert [variable.name for variable in KUBENURSE_VARIABLES if f"`{variable.name}`" not in page] == []

"""`kubesonar knh` as a process, and the page about its quirks."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from kubesonar.compat.knh.settings import KNH_VARIABLES
from tests.compat.knh.rig import behind_service, call, environ, pod
from tests.kube.apiserver import ApiServer
from tests.notify.receivers import run

FOLDER = Path(__file__).parent
README = (FOLDER.parents[2] / "src/kubesonar/compat/knh/README.md").read_text()


def test_every_quirk_has_a_test_and_every_test_a_quirk() -> None:
    listed = re.findall(r"^\| KNH-(\d\d) \| (?:kept|mended|switchable) \|", README, re.MULTILINE)
    tested = {
        found for path in FOLDER.rglob("test_*.py") for found in re.findall(r"def test_knh(\d\d)_", path.read_text())
    }
    assert listed == [f"{number:02d}" for number in range(1, len(listed) + 1)]
    assert sorted(tested) == listed


def test_every_variable_is_in_the_page() -> None:
    page = (FOLDER.parents[2] / "docs/knh.md").read_text()
    assert [variable.name for variable in KNH_VARIABLES if f"`{variable.name}`" not in page] == []


def test_knh27_a_process_logs_json_lines_and_leaves_in_order(tmp_path: Path) -> None:
    with ApiServer() as api:
        behind_service(api, 1)
        config = api.kubeconfig(tmp_path / "config")
        process = subprocess.Popen(
            [sys.executable, "-m", "kubesonar", "knh"],
            env={**os.environ, **environ(1), "KUBECONFIG": config, "LOG_LEVEL": "info"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert {"level", "time", "message"} <= set(first)
        assert (first["message"], first["id"]) == ("serving", pod(1).id)
        assert run(call(pod(1), "/ping")).endswith(b"pong")
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert json.loads(rest.splitlines()[-1])["message"] == "leaving"


def test_what_is_missing_ends_it_with_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kubesonar", "knh"],
        env={**os.environ, **environ(1), "MY_NODE_NAME": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "kubesonar: MY_NODE_NAME is not set, expected the name of the node it runs on\n"
        "kubesonar knh --help shows more\n"
    )


def test_help_lists_the_variables() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kubesonar", "knh", "--help"], capture_output=True, text=True, check=True
    )
    assert "  PEER_STATUS_URL " in done.stdout

"""An older tool's listener beside the agent's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

from tests.apps.agents import until
from tests.ports import free_port


def status(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def started(folder: Path, port: int, rooms: list[str], **environ: str) -> subprocess.Popen[str]:
    tree = {
        "member": {"name": "me", "port": port, "bind": ["127.0.0.1"]},
        "shutdown": {"grace": 0},
        "rooms": rooms,
        "log": {"level": "warning"},
    }
    (folder / "agent.json").write_text(json.dumps(tree))
    return subprocess.Popen(
        [sys.executable, "-m", "kubesonar", "agent", "--config", str(folder / "agent.json")],
        env={"PATH": os.environ["PATH"], "KUBENURSE_SHUTDOWN_DURATION": "0s", **environ},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_room_serves_beside_the_agent_and_leaves_with_it(tmp_path: Path) -> None:
    port, older = free_port(), free_port()
    with started(tmp_path, port, ["kubenurse"], KUBENURSE_LISTEN=f"127.0.0.1:{older}") as process:
        try:
            until(lambda: status(port, "/healthz") == 200 and status(older, "/alwayshappy") == 200)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_a_room_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    port = free_port()
    for rooms, environ, said in (
        (["x"], {}, 'there is no room "x"'),
        (["kubenurse"], {"KUBENURSE_CHECK_INTERVAL": "often"}, "KUBENURSE_CHECK_INTERVAL"),
        (["kubenurse"], {"KUBENURSE_LISTEN": f"127.0.0.1:{port}"}, f"cannot listen on 127.0.0.1:{port}"),
    ):
        with started(tmp_path, port, rooms, **environ) as process:
            try:
                _, told = process.communicate(timeout=20)
            finally:
                process.kill()
        assert process.returncode == 2
        refusal, more = told.splitlines()[-2:]
        assert refusal.startswith("kubesonar agent: ")
        assert more == "kubesonar agent --help shows more"
        assert said in told

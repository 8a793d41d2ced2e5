"""Every program runs as usual whichever of the descriptors 0 to 2 its parent closed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.apps.agents import members, tree, until
from tests.apps.listening import answers, on_sockets
from tests.compat.knh.rig import PORT, behind_service, environ, ip
from tests.compat.kubenurse.rig import ALONE
from tests.core.mesh import Mesh
from tests.kube.apiserver import ApiServer
from tests.ports import free_port

ALL = "<&- >&- 2>&-"
CLOSED = ["<&-", ">&-", "2>&-", ALL]


def closed(which: str, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
    command = ["sh", "-c", f'exec "$@" {which}', "sh", sys.executable, "-m", "kubesonar", *arguments]
    return subprocess.Popen(command, env={**os.environ, **environ}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def code(which: str, *arguments: str) -> int:
    with closed(which, *arguments) as process:
        return process.wait(60)


def responds(host: str, port: int, path: str) -> bool:
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def code_of_server(which: str, url: tuple[str, int, str], *arguments: str, **environ: str) -> int:
    """The exit code of a program that was sent SIGTERM once it answered, with the descriptors that it left open."""
    with closed(which, *arguments, **environ) as process:
        try:
            until(lambda: responds(*url) or process.poll() is not None)
            assert process.poll() is None
            held = [str((Path(f"/proc/{process.pid}/fd") / number).readlink()) for number in ("0", "1", "2")]
            assert not [path for path in held if path.startswith(("socket:", "anon_inode:"))]
            process.send_signal(signal.SIGTERM)
            return process.wait(20)
        finally:
            process.kill()


@pytest.mark.parametrize("which", CLOSED)
def test_a_command_runs_whichever_is_closed(which: str) -> None:
    assert code(which, "version") == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("keys", "make"), 0),
        (("check", "unix:/nonexistent"), 2),
        (("lab", "fault", "--directory", "/nonexistent", "clear"), 2),
    ],
)
def test_a_command_has_its_usual_exit_code(arguments: tuple[str, ...], expected: int) -> None:
    assert code(ALL, *arguments) == expected


@pytest.mark.parametrize(("mesh", "expected"), [(Mesh(nodes=3), 0), (Mesh().cut("node-3"), 1)])
def test_a_verdict_keeps_its_exit_code(tmp_path: Path, mesh: Mesh, expected: int) -> None:
    with on_sockets(tmp_path, answers(mesh)):
        assert code(ALL, "check", str(tmp_path)) == expected


@pytest.mark.parametrize("which", CLOSED)
def test_an_agent_serves_and_ends_in_order(tmp_path: Path, which: str) -> None:
    port = free_port()
    config = tmp_path / "config.json"
    config.write_text(json.dumps(tree("a", port, members(tmp_path, {"a": port}))))
    assert code_of_server(which, ("127.0.0.1", port, "/readyz"), "agent", "--config", str(config)) == 0


def test_the_older_tools_serve_and_end_in_order(tmp_path: Path) -> None:
    port = free_port()
    own: Mapping[str, str] = {**ALONE, "KUBENURSE_LISTEN": f"127.0.0.1:{port}", "KUBENURSE_SHUTDOWN_DURATION": "0s"}
    assert code_of_server(ALL, ("127.0.0.1", port, "/ready"), "kubenurse", **own) == 0
    with ApiServer() as api:
        behind_service(api, 1)
        knh = {**environ(1), "KUBECONFIG": api.kubeconfig(tmp_path / "config")}
        assert code_of_server(ALL, (ip(1), PORT, "/ping"), "knh", **knh) == 0


@pytest.mark.lab
def test_a_lab_keeps_its_exit_code(tmp_path: Path) -> None:
    assert code(ALL, "lab", "--nodes", "2", "--once", "--directory", str(tmp_path / "lab")) == 0

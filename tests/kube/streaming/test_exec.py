from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubesonar.kube.auth.loading_rules import from_kubeconfig, in_cluster
from kubesonar.kube.errors import ApiError
from kubesonar.kube.streaming.exec import ExecResult, exec_in_pod
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run

ECHO = ["sh", "-c", "cat; echo problem >&2; exit 3"]
V4_ONLY = ["v4.channel.k8s.io"]


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a", node="node-1", ips=("10.0.1.2",)))
        yield api


def _exec(api: ApiServer, folder: Path, command: list[str], pod: str = "a", **more: Any) -> ExecResult:
    credentials = in_cluster(api.in_cluster(folder), str(folder))
    return run(exec_in_pod(credentials, "default", pod, command, **more))


def _error(api: ApiServer, folder: Path, command: list[str], pod: str = "a", **more: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        _exec(api, folder, command, pod, **more)
    return caught.value


def test_output_errors_and_exit_code_are_told_apart(api: ApiServer, tmp_path: Path) -> None:
    assert _exec(api, tmp_path, ECHO, stdin=b"hi\n") == ExecResult(b"hi\n", b"problem\n", 3, False)
    (asked,) = api.asked("create", "pods/exec")
    assert asked.query == {"command": ECHO[-1], "stdout": "true", "stderr": "true", "stdin": "true"}


def test_a_command_that_ends_well_has_the_exit_code_0(api: ApiServer, tmp_path: Path) -> None:
    assert _exec(api, tmp_path, ["true"], container="agent") == ExecResult(b"", b"", 0, False)
    assert api.asked("create", "pods/exec")[0].query["container"] == "agent"


def test_servers_before_1_30_run_commands_but_cannot_end_their_input(api: ApiServer, tmp_path: Path) -> None:
    api.switches.streams.protocols = V4_ONLY
    assert _exec(api, tmp_path, ["echo", "hi there"]).stdout == b"hi there\n"
    assert "v5.channel.k8s.io (Kubernetes 1.30" in _error(api, tmp_path, ["cat"], stdin=b"hi").message


def test_much_input_passes_a_command_that_prints_much(api: ApiServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    result = _exec(api, tmp_path, ["cat"], stdin=data, limit=len(data))
    assert result == ExecResult(data, b"", 0, False)


def test_output_beyond_the_limit_is_dropped_and_the_exit_code_still_comes(api: ApiServer, tmp_path: Path) -> None:
    noisy = [sys.executable, "-c", "import sys; print('x' * 300000, file=sys.stderr); print('y' * 10); sys.exit(9)"]
    result = _exec(api, tmp_path, noisy, limit=1000)
    assert result == ExecResult(b"y" * 10 + b"\n", b"x" * 1000, 9, True)


def test_a_command_that_cannot_be_started_is_an_error_of_the_api(api: ApiServer, tmp_path: Path) -> None:
    error = _error(api, tmp_path, ["/no/such/command"])
    assert error.reason == "InternalError"
    assert "error executing command in container" in error.message


@pytest.mark.parametrize(("verb", "resource"), [("create", "pods/exec"), ("*", "pods/exec")])
def test_a_missing_right_is_named_by_the_server(api: ApiServer, tmp_path: Path, verb: str, resource: str) -> None:
    api.refuse(verb, resource)
    error = _error(api, tmp_path, ["true"])
    assert (error.status, error.reason) == (403, "Forbidden")
    assert 'cannot create resource "pods/exec" in the namespace "default"' in error.message


def test_a_pod_that_is_not_there(api: ApiServer, tmp_path: Path) -> None:
    error = _error(api, tmp_path, ["true"], pod="nobody")
    assert (error.status, error.reason) == (404, "NotFound")
    assert 'pods "nobody" not found' in error.message


@pytest.mark.parametrize("bytes_before", [0, 1, 100_000])
def test_a_connection_that_is_lost_is_no_exit_code(api: ApiServer, tmp_path: Path, bytes_before: int) -> None:
    api.switches.streams.cut = bytes_before
    error = _error(api, tmp_path, [sys.executable, "-c", "print('x' * 200000)"])
    assert (error.status, error.reason) == (0, "reset")


def test_what_the_status_channel_says_is_the_error(api: ApiServer, tmp_path: Path) -> None:
    api.switches.streams.error = "container not found"
    error = _error(api, tmp_path, ["true"])
    assert (error.status, error.reason, error.message) == (500, "InternalError", "container not found")


def test_a_command_that_does_not_end_meets_the_time_limit(api: ApiServer, tmp_path: Path) -> None:
    error = _error(api, tmp_path, ["sleep", "600"], timeout=0.3)
    assert (error.reason, error.message) == ("timeout", "the command did not end within 0.3 s")


def test_a_server_that_does_not_answer_meets_the_time_limit(api: ApiServer, tmp_path: Path) -> None:
    api.freeze()
    assert _error(api, tmp_path, ["true"], timeout=0.3).reason == "timeout"
    api.thaw()


def test_a_server_that_is_gone(api: ApiServer, tmp_path: Path) -> None:
    credentials = in_cluster(api.in_cluster(tmp_path), str(tmp_path))
    api.stop()
    with pytest.raises(ApiError) as caught:
        run(exec_in_pod(credentials, "default", "a", ["true"]))
    assert caught.value.reason == "refused"


def test_a_server_that_speaks_no_channels(api: ApiServer, tmp_path: Path) -> None:
    api.switches.streams.protocols = []
    assert "chose none of the protocols" in _error(api, tmp_path, ["true"]).message


def test_a_certificate_of_another_authority_is_refused(api: ApiServer, tmp_path: Path) -> None:
    credentials = in_cluster(api.in_cluster(tmp_path), str(tmp_path))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with ApiServer() as other:
        other.in_cluster(folder)
        (tmp_path / "ca.crt").write_bytes((folder / "ca.crt").read_bytes())
        with pytest.raises(ApiError) as caught:
            run(exec_in_pod(credentials, "default", "a", ["true"]))
    assert caught.value.reason == "tls"


def test_a_token_that_was_rotated_is_read_again(api: ApiServer, tmp_path: Path) -> None:
    credentials = in_cluster(api.in_cluster(tmp_path), str(tmp_path))

    async def twice() -> list[int]:
        first = await exec_in_pod(credentials, "default", "a", ["true"])
        api.rotate_token("token-2")
        return [first.exit_code, (await exec_in_pod(credentials, "default", "a", ["true"])).exit_code]

    assert run(twice()) == [0, 0]


def test_a_wrong_token_is_refused_once(api: ApiServer, tmp_path: Path) -> None:
    credentials = in_cluster(api.in_cluster(tmp_path), str(tmp_path))
    api.switches.tokens = {"another"}
    with pytest.raises(ApiError) as caught:
        run(exec_in_pod(credentials, "default", "a", ["true"]))
    assert caught.value.status == 401
    assert len(api.asked("create", "pods/exec")) == 1


def test_a_client_certificate_is_shown(api: ApiServer, tmp_path: Path) -> None:
    certificate, key = api.certificates.client()
    (tmp_path / "client.crt").write_bytes(certificate)
    (tmp_path / "client.key").write_bytes(key)
    user = {"client-certificate": "client.crt", "client-key": "client.key"}
    credentials = from_kubeconfig(api.kubeconfig(tmp_path / "config", user=user))
    assert run(exec_in_pod(credentials, "default", "a", ["echo", "me"])).stdout == b"me\n"
    (asked,) = api.asked("create", "pods/exec")
    assert asked.token == ""


def test_an_exec_plugin_gives_the_token(api: ApiServer, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    status = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"token-1"}}'
    plugin.write_text(f"#!/bin/sh\necho '{status}'\n")
    plugin.chmod(0o700)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    credentials = from_kubeconfig(api.kubeconfig(tmp_path / "config", user=user))
    assert run(exec_in_pod(credentials, "default", "a", ["echo", "me"])).stdout == b"me\n"


@pytest.mark.parametrize("pod", ["", "../nodes", "A", "a/b", "a b"])
def test_names_that_would_change_the_path_are_refused(api: ApiServer, tmp_path: Path, pod: str) -> None:
    with pytest.raises(ValueError, match="a pod's name is"):
        _exec(api, tmp_path, ["true"], pod=pod)

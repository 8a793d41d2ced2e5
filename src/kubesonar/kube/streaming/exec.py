"""Runs a command in a container of a pod and returns what it printed: pods/exec over WebSocket.

Servers of Kubernetes 1.28 and 1.29 speak v4.channel.k8s.io; newer ones v5, which can end the command's input too. The
right is `get` on pods/exec before 1.35 and `create` from 1.35 on, so roles grant both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.client import API_TIMEOUT
from kubesonar.kube.errors import ApiError
from kubesonar.kube.streaming.channels import ChannelSocket, open_channels, pod_path
from kubesonar.kube.types import Status
from kubesonar.model import Fault

EXEC_OUTPUT_LIMIT = 1 << 20
"""Most bytes kept of standard output, and of standard error; what comes after is read and dropped."""

_V5 = "v5.channel.k8s.io"
_PROTOCOLS = (_V5, "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _STATUS = range(4)
_CLOSE = 255
"""The channel of v5 whose message ends the channel it names."""

_INPUT_PART = 32_768


class ExecResult(msgspec.Struct, frozen=True):
    """The end of a command: its output, its exit code, and whether some output was dropped (`truncated`)."""

    stdout: bytes
    stderr: bytes
    exit_code: int
    truncated: bool


class _ExecStatus(Status, frozen=True):
    status: str = ""


async def exec_in_pod(
    credentials: Credentials,
    namespace: str,
    pod: str,
    command: Sequence[str],
    *,
    container: str = "",
    stdin: bytes = b"",
    timeout: float = 30.0,
    limit: int = EXEC_OUTPUT_LIMIT,
) -> ExecResult:
    """Run `command` in the pod's container (empty: its default one), give it `stdin`, and return its output and exit
    code within `timeout` seconds. At most `limit` bytes are kept of each output.

    Raises ApiError: the server's refusal, a command that cannot be started, a lost connection, the time limit;
    ValueError for a bad name. A command that runs longer goes on in the pod: closing the connection does not end it.
    """
    query = [*(("command", word) for word in command), ("stdout", "true"), ("stderr", "true")]
    query += [("container", container)] if container else []
    query += [("stdin", "true")] if stdin else []
    path = pod_path(namespace, pod, "exec")
    try:
        async with (
            asyncio.timeout(timeout),
            open_channels(credentials, path, query, _PROTOCOLS, min(timeout, API_TIMEOUT)) as channels,
            asyncio.TaskGroup() as tasks,
        ):
            feeding = tasks.create_task(_feed(channels, stdin))
            result = await _collect(channels, limit)
            feeding.cancel()
    except TimeoutError:
        raise ApiError(0, Fault.TIMEOUT.value, f"the command did not end within {timeout:g} s") from None
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return result


async def _feed(channels: ChannelSocket, stdin: bytes) -> None:
    if not stdin:
        return
    if channels.protocol != _V5:
        raise ApiError(0, "Unsupported", f"input for a command needs {_V5} (Kubernetes 1.30 or newer)")
    for start in range(0, len(stdin), _INPUT_PART):
        await channels.send(_STDIN, stdin[start : start + _INPUT_PART])
    await channels.send(_CLOSE, bytes((_STDIN,)))


async def _collect(channels: ChannelSocket, limit: int) -> ExecResult:
    """Read until the status, which comes last."""
    output = {_STDOUT: bytearray(), _STDERR: bytearray()}
    truncated = False
    while (message := await channels.receive()) is not None:
        channel, data = message
        if channel == _STATUS and data:
            code = _exit_code(data)
            return ExecResult(bytes(output[_STDOUT]), bytes(output[_STDERR]), code, truncated)
        if channel in output:
            room = limit - len(output[channel])
            output[channel] += data[:room]
            truncated = truncated or len(data) > room
    raise ApiError(0, Fault.RESET.value, "the connection was closed before the command's exit code came")


def _exit_code(body: bytes) -> int:
    """Return the exit code in a v1 Status. Raises ApiError where it says that the command did not run."""
    try:
        status = decode_json(body, _ExecStatus)
    except Undecodable as error:
        raise ApiError(0, "wrong_answer", f"a status that does not fit: {error}") from None
    if status.status == "Success":
        return 0
    for cause in status.causes:
        if cause.reason == "ExitCode" and cause.message.isascii() and cause.message.isdigit():
            return int(cause.message[:9])
    raise ApiError(status.code, status.reason or "InternalError", status.message)

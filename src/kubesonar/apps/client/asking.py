"""Arguments that people's commands share, which say which agents to ask, and ways to run a command."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from typer.exceptions import TyperException

from kubesonar.apps.client.collector_client import CollectorClient, CollectorSilent
from kubesonar.apps.client.gather import AgentAccess
from kubesonar.apps.client.sources import SnapshotSource, one_source, sources_of
from kubesonar.config import CA_FILE_ENV, COLLECTOR_ENV, TOKEN_FILE_ENV, ConfigError
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord

R = TypeVar("R")
_TOKEN_LIMIT = 4096

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE",
        help="Agents: http://HOST:PORT, https://HOST[:PORT], unix:PATH, or a directory of sockets. "
        "Default: the lab that runs on this machine.",
        show_default=False,
    ),
]
Everybody = Annotated[
    bool | None,
    typer.Option(
        "--all/--only",
        help="Ask all members that the roster of those given names, or only those given. Default: all, where one "
        "address is given.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar=TOKEN_FILE_ENV,
        help="Bearer token to show to agents or the collector: the first line of this file.",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar=CA_FILE_ENV, help="CA certificates (PEM) to trust with https://."),
]
Timeout = Annotated[float, typer.Option(min=0.1, max=60, metavar="SECONDS", help="How long one agent may take.")]


def _unless_others_are_named(context: typer.Context, value: str) -> str:
    """Return the collector's URL; empty where only the environment names it, as in a collector's pod, and the command
    line says whom to ask."""
    source = context.get_parameter_source("collector")
    from_environment = source is not None and source.name == "ENVIRONMENT"
    return "" if from_environment and (context.params.get("source") or context.params.get("archive")) else value


CollectorUrl = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar=COLLECTOR_ENV,
        help="Ask the collector at this URL (http://HOST:PORT, https://HOST[:PORT] or unix:PATH) in place of agents.",
        show_default=False,
        callback=_unless_others_are_named,
    ),
]
MapPicture = Annotated[Path | None, typer.Option(metavar="FILE", hidden=True)]


def access(
    token_file: Path | None, ca_file: Path | None, timeout: float, everybody: bool | None = None, collector: str = ""
) -> AgentAccess:
    """Return how agents are asked, or the collector at that URL. Raises ConfigError where a file or the URL cannot be
    used."""
    return AgentAccess(
        token=_token(token_file) if token_file else "",
        ca_file=_readable("--ca-file", ca_file) if ca_file else "",
        timeout=timeout,
        everybody=everybody,
        collector=one_source(collector).url if collector else "",
    )


def sources(given: Sequence[str], access: AgentAccess) -> list[SnapshotSource]:
    """Return the agents to ask; none where a collector is asked. Raises ConfigError as `sources_of` does, and where
    both are given."""
    if not access.collector:
        return sources_of(given)
    if given:
        raise ConfigError("--collector and agents: expected one of them, not both")
    return []


async def incidents(access: AgentAccess, since: float = 0.0) -> list[IncidentRecord]:
    """Return the collector's incidents that were not over before `since` (Unix seconds), the latest first. Raises
    ConfigError where it does not answer."""
    try:
        return await _collector(access).incidents(since)
    except CollectorSilent as silent:
        raise ConfigError(str(silent)) from None


async def notices(access: AgentAccess, since: float) -> list[NoticeRecord]:
    """Return the collector's notices that were made since then (Unix seconds), the latest first. Raises ConfigError
    where it does not answer."""
    try:
        return await _collector(access).notices(since)
    except CollectorSilent as silent:
        raise ConfigError(str(silent)) from None


def parsed(command: Callable[..., R], arguments: Sequence[str], name: str) -> R | int:
    """Return what `command`, whose parameters Typer reads, returns; 0 after --help, 130 after Ctrl-C. Raises
    ConfigError for wrong usage. The result is run outside of Typer, which has an exit code of its own for Ctrl-C."""
    found: list[R] = []
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command()
    @functools.wraps(command)
    def keep(*given: Any, **named: Any) -> None:
        found.append(command(*given, **named))

    try:
        code = app(list(arguments), prog_name=f"kubesonar {name}", standalone_mode=False)
    except TyperException as wrong:
        raise ConfigError(_usage_error(wrong.format_message())) from None
    return found[0] if found else int(code or 0)


def run_parsed(command: Callable[..., Callable[[], int]], arguments: Sequence[str], name: str) -> int:
    """Run what `command`, whose parameters Typer reads, returns; return its exit code, or that of --help or Ctrl-C.
    Raises ConfigError for wrong usage."""
    run = parsed(command, arguments, name)
    return run if isinstance(run, int) else run()


def run_async(work: Coroutine[Any, Any, R]) -> R:
    """Run a command's work on uvloop and return its result. The result passes by the task: Python 3.11's `signal`
    module writes the runner's task out, with its result, when Ctrl-C gets its former handler back, which takes longer
    than all else where the result is what thousands of agents said."""
    results: list[R] = []

    async def kept() -> None:
        results.append(await work)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(kept())
    return results[0]


def run_until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run a command's work on uvloop until Ctrl-C, SIGTERM or SIGQUIT, and cancel it then, so that it can put the
    terminal back. SIGTERM and SIGQUIT end the process afterwards, as the parent expects; Ctrl-C lets it go on."""
    caught: list[signal.Signals] = []

    async def attended() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def end(number: signal.Signals) -> None:
            caught.append(number)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGQUIT):
            loop.add_signal_handler(number, end, number)
        await task

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        run_async(attended())
    for number in caught[:1]:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _collector(access: AgentAccess) -> CollectorClient:
    return CollectorClient(access.collector, access.token, access.ca_file, access.timeout)


def _usage_error(message: str) -> str:
    """Return the sentence for wrong usage: the option first, as other refusals have it."""
    message = message.replace("Value error, ", "").rstrip(".")
    option, colon, expected = message.removeprefix("Invalid value for ").partition(": ")
    if colon and message.startswith("Invalid value for "):
        return f"{option.strip(chr(39))}: {expected[:1].lower()}{expected[1:]}"
    return message[:1].lower() + message[1:]


def _readable(flag: str, path: Path) -> str:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{flag}: {path} cannot be read: {error.strerror}") from None
    return str(path)


def _token(path: Path) -> str:
    """Return the first line that is not empty."""
    try:
        with path.open("rb") as file:
            lines = file.read(_TOKEN_LIMIT).split()
    except OSError as error:
        raise ConfigError(f"--token-file: {path} cannot be read: {error.strerror}") from None
    token = lines[0] if lines else b""
    if not token.isascii() or not token.decode("ascii").isprintable() or not token:
        raise ConfigError(f"--token-file: {path} holds no token, expected a line of printable ASCII characters")
    return token.decode("ascii")

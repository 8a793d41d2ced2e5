"""The commands of `kubectl sonar`: each reaches the installation and then runs what `kubesonar` runs."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import yaml

from kubesonar.apps.client import asking, check, explain, history, map
from kubesonar.apps.kubectl.arguments import KubectlArguments, OutputFormat
from kubesonar.apps.kubectl.page import PageUpstream, page_options, show_page
from kubesonar.apps.kubectl.release import Release, find_release, read_token
from kubesonar.apps.kubectl.tunnel import PodTunnel
from kubesonar.config import ConfigError
from kubesonar.core.decoding import decode_json
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.auth.loading_rules import personal_credentials
from kubesonar.kube.client import Client

_TIMEOUT = "10"
"""Seconds that one agent or the collector may take: each answer passes the API server and a kubelet."""


class Reached(NamedTuple):
    """An installation that can be asked: the sockets, whether it is a collector that answers there, and the token."""

    release: Release
    tunnel: PodTunnel
    collected: bool
    token: str

    @property
    def flags(self) -> list[str]:
        """What people's commands are told: where to ask, and with what token."""
        flags = ["--timeout", _TIMEOUT]
        if self.tunnel.token_file:
            flags += ["--token-file", self.tunnel.token_file]
        return flags + (["--collector", self.tunnel.sources[0]] if self.collected else [])

    @property
    def sources(self) -> list[str]:
        """The agents as arguments of people's commands; none where a collector is asked."""
        return [] if self.collected else self.tunnel.sources


@contextmanager
def reached(given: KubectlArguments) -> Iterator[Reached]:
    """Find the installation and keep the way to it open. Raises ConfigError where it cannot be found or reached."""
    credentials = credentials_of(given)
    release, token = asking.run_async(_found(credentials, given))
    ports = [port for pod in release.asked if (port := pod.collector_port or pod.agent_port)]
    with PodTunnel(credentials, ports, token) as tunnel:
        yield Reached(release, tunnel, bool(release.collectors), token)
        for pod, error in list(tunnel.errors.items())[:1]:
            sys.stderr.write(f"kubectl sonar: {pod} cannot be reached: {error}{_granted(error.status)}\n")


def credentials_of(given: KubectlArguments) -> Credentials:
    """Return the credentials of the kubeconfig and the context. Raises ConfigError."""
    try:
        return personal_credentials(os.environ, given.kubeconfig, given.context)
    except CredentialsError as error:
        raise ConfigError(str(error)) from None


async def _found(credentials: Credentials, given: KubectlArguments) -> tuple[Release, str]:
    client = Client(credentials)
    try:
        release = await find_release(client, given.namespace, given.release)
        own_token = any(word.partition("=")[0] == "--token-file" for word in given.own)
        return release, "" if own_token else await read_token(client, release.asked)
    finally:
        client.close()


def _granted(status: int) -> str:
    return "; a role must grant create and get on pods/portforward" if status == 403 else ""


def run_plugin_command(name: str, given: KubectlArguments) -> int:
    """Run one of `KUBECTL_COMMANDS` and return its exit code. Raises ConfigError."""
    command = KUBECTL_COMMANDS[name]
    if "--help" in given.own and command.plain is not None:
        return command.plain(["--help"])
    return command.run(given)


def _asked(run: Callable[[Sequence[str]], int], given: KubectlArguments, place: Reached) -> int:
    """Run one of kubesonar's commands, and turn what it prints into the format that is wanted."""
    arguments = [*given.own, *place.flags, *place.sources]
    if given.output in (OutputFormat.TEXT, OutputFormat.WIDE):
        return run(arguments)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = run(["--json", *arguments])
    document = printed.getvalue()
    if given.output is OutputFormat.YAML and document:
        document = yaml.safe_dump(decode_json(document, object), sort_keys=False, allow_unicode=True)
    sys.stdout.write(document)
    return code


def _check(given: KubectlArguments) -> int:
    with reached(given) as place:
        code = _asked(check.main, given, place)
        if given.output is OutputFormat.WIDE and code == 1:
            explain.main(["all", *place.flags, *place.sources])
        return code


def _map(given: KubectlArguments) -> int:
    with reached(given) as place:
        return _asked(map.main, given, place)


def _history(given: KubectlArguments) -> int:
    with reached(given) as place:
        if not place.collected:
            raise ConfigError(
                f"release {place.release.name} has no collector, and agents do not remember: set collector.enabled=true"
            )
        return _asked(history.main, given, place)


def _explain(given: KubectlArguments) -> int:
    if given.output in (OutputFormat.JSON, OutputFormat.YAML):
        raise ConfigError("explain answers in words; check -o json holds the same evidence")
    with reached(given) as place:
        return _asked(explain.main, given, place)


def _page(given: KubectlArguments) -> int:
    port, opens = page_options(given.own)
    with reached(given) as place:
        return show_page(PageUpstream(place.tunnel.sources[0].removeprefix("unix:"), place.token), port, opens)


class KubectlCommand(NamedTuple):
    """One command: its description in one line, what runs it, and the command of kubesonar whose --help it has (None:
    it has one itself)."""

    help: str
    run: Callable[[KubectlArguments], int]
    plain: Callable[[Sequence[str]], int] | None = None


KUBECTL_COMMANDS = {
    "check": KubectlCommand("say in one sentence whether the network is healthy", _check, check.main),
    "map": KubectlCommand("show who reaches whom, live", _map, map.main),
    "history": KubectlCommand("what was wrong, and when", _history, history.main),
    "explain": KubectlCommand("why a finding is held to be true, and what would confirm it", _explain, explain.main),
    "page": KubectlCommand("open the page of the installation in the browser", _page),
}

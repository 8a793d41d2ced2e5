"""The way to an installation: found, its token read, and a socket for each of its APIs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import AgentAccess, gather
from kubesonar.apps.client.sources import sources_of
from kubesonar.apps.kubectl.arguments import KubectlArguments
from kubesonar.apps.kubectl.release import Release, find_release, read_token
from kubesonar.apps.kubectl.tunnel import PodTunnel
from kubesonar.config import ConfigError
from kubesonar.core.encoding import encode_json
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.auth.loading_rules import personal_credentials
from kubesonar.kube.client import Client

_TIMEOUT = "10"
"""Seconds that one agent or the collector may take: each answer passes the API server and a kubelet."""


class Reached(NamedTuple):
    """An installation that can be asked: its collector's socket (empty: none) and those of its agents, as people's
    commands take them, the token, and the file that holds it (empty: none is needed)."""

    release: Release
    collector: str
    agents: list[str]
    token: str
    token_file: str

    @property
    def flags(self) -> list[str]:
        """The flags that tell people's commands where to ask, and with what token."""
        flags = ["--timeout", _TIMEOUT]
        flags += ["--token-file", self.token_file] if self.token_file else []
        return flags + (["--collector", self.collector] if self.collector else [])


@contextmanager
def reached(given: KubectlArguments, everybody: bool = False) -> Iterator[Reached]:
    """Find the installation and keep the way to its collector open, or to its agents where it has none; with
    `everybody`, to both. Raises ConfigError where it cannot be found or reached."""
    credentials = credentials_of(given)
    release, token = asking.run_async(_found(credentials, given, everybody))
    ports = [port for pod in release.asked(everybody) if (port := pod.collector_port or pod.agent_port)]
    with PodTunnel(credentials, ports, token) as tunnel:
        first = 1 if release.collectors else 0
        collector = tunnel.sources[0] if release.collectors else ""
        yield Reached(release, collector, tunnel.sources[first:], token, tunnel.token_file)
        for pod, error in list(tunnel.errors.items())[:1]:
            needed = "; a role must grant create and get on pods/portforward" if error.status == 403 else ""
            sys.stderr.write(f"kubectl sonar: {pod} cannot be reached: {error}{needed}\n")


@contextmanager
def remembering(given: KubectlArguments) -> Iterator[Reached]:
    """Find the installation and keep the way open to what remembers: its collector, or the one that its coordinator
    runs. Raises ConfigError as `reached` does, and where nothing remembers."""
    with reached(given) as place:
        if place.collector:
            yield place
            return
        ports = {pod.metadata.name: port for pod in place.release.agents if (port := pod.coordinator_port)}
        if not ports:
            raise ConfigError(
                f"release {place.release.name} has no collector, and its agents do not remember: set "
                "collector.enabled=true, or for up to 50 agents config.coordinator.judge=true (docs/membership.md)"
            )
        port = ports.get(asking.run_async(_coordinator(place)))
        if port is None:
            raise ConfigError(f"the agents of release {place.release.name} name no coordinator that can be reached now")
        with PodTunnel(credentials_of(given), [port]) as tunnel:
            yield place._replace(collector=tunnel.sources[0], agents=[])


async def _coordinator(place: Reached) -> str:
    """Return the coordinator's name as most agents have it, empty where none has one."""
    access = AgentAccess(token=place.token, timeout=float(_TIMEOUT), everybody=False)
    gathered = await gather(sources_of(place.agents), access)
    named = Counter(snapshot.coordinator for snapshot in gathered.snapshots if snapshot.coordinator)
    return next((name for name, _ in named.most_common(1)), "")


def credentials_of(given: KubectlArguments) -> Credentials:
    """Return the credentials of the kubeconfig and the context. Raises ConfigError."""
    try:
        return personal_credentials(os.environ, given.kubeconfig, given.context)
    except CredentialsError as error:
        raise ConfigError(str(error)) from None


@contextmanager
def chosen_kubeconfig(given: KubectlArguments) -> Iterator[str]:
    """Yield the kubeconfig for a command that knows no contexts, empty for the usual one. Of several files the first
    one names the current context, so a file that says no more goes before."""
    if not given.context:
        yield given.kubeconfig
        return
    credentials_of(given)  # says so where there is no such context
    usual = given.kubeconfig or os.environ.get("KUBECONFIG", "") or f"{os.environ.get('HOME', '')}/.kube/config"
    with tempfile.NamedTemporaryFile("wb", prefix="kubesonar-") as file:
        file.write(encode_json({"current-context": given.context}))
        file.flush()
        yield f"{file.name}{os.pathsep}{usual}"


async def _found(credentials: Credentials, given: KubectlArguments, everybody: bool) -> tuple[Release, str]:
    client = Client(credentials)
    try:
        release = await find_release(client, given.namespace, given.release)
        own_token = any(word.partition("=")[0] == "--token-file" for word in given.own)
        return release, "" if own_token else await read_token(client, release.asked(everybody))
    finally:
        client.close()

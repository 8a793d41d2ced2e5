"""The Lease that guards announcements: held, refused, or not wanted at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kubesonar.apps.agent.lease_guard import LeaseGuard
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.config import ConfigError
from kubesonar.kube.lease_options import LeaseOptions
from kubesonar.model import Member, Network
from kubesonar.net.clock import SystemClock
from kubesonar.runtime.supervise import Supervisor
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.waiting import until

HELD = LeaseOptions(name="told", namespace="default")


@asynccontextmanager
async def guarding(
    environ: dict[str, str], lease: LeaseOptions = HELD, network: Network = Network.POD
) -> AsyncIterator[tuple[LeaseGuard, list[bool | None]]]:
    """A guard of the member "me", and what it was told."""
    said: list[bool | None] = []
    supervisor = Supervisor()
    me = Member("me", "node-1", ("127.0.0.1",), 1, network)
    guard = LeaseGuard(AgentOptions(lease=lease), environ, me, supervisor, SystemClock(), said.append)
    try:
        yield guard, said
    finally:
        await guard.close()
        await supervisor.stop()


def leases(api: ApiServer) -> list[tuple[Any, Any]]:
    """Name and holder of each Lease there is."""
    found, _ = api.store.all("leases", lambda tree: True)
    return [(one["metadata"]["name"], one["spec"].get("holderIdentity")) for one in found]


@pytest.mark.parametrize(("network", "name"), [(Network.POD, "told"), (Network.HOST, "told-host")])
def test_it_is_held_while_wanted_and_each_network_has_its_own(tmp_path: Path, network: Network, name: str) -> None:
    async def scenario(api: ApiServer) -> None:
        environ = {"KUBECONFIG": api.kubeconfig(tmp_path / "config")}
        async with guarding(environ, network=network) as (guard, said):
            assert leases(api) == []
            guard.want(True)
            await until(lambda: said[-1:] == [True])
            assert leases(api) == [(name, "me")]
        assert leases(api) in ([(name, "")], [(name, None)]), "it is released at the end"

    with ApiServer() as api:
        run(scenario(api))


def test_without_a_name_nothing_is_asked_for() -> None:
    async def scenario() -> list[bool | None]:
        async with guarding({}, LeaseOptions()) as (guard, said):
            guard.want(True)
            guard.want(False)
        return said

    assert run(scenario()) == []


@pytest.mark.parametrize(
    ("environ", "lease", "reason"),
    [
        ({}, HELD, "a Lease cannot be held: "),
        ({"KUBECONFIG": "/nonexistent"}, HELD, "/nonexistent"),
        (None, LeaseOptions(name="told", namespace="a/b"), "a namespace is lower case letters, digits and hyphens"),
    ],
)
def test_what_cannot_be_held_is_said_before_anything_starts(
    tmp_path: Path, environ: dict[str, str] | None, lease: LeaseOptions, reason: str
) -> None:
    async def scenario(api: ApiServer) -> None:
        given = {"KUBECONFIG": api.kubeconfig(tmp_path / "config")} if environ is None else environ
        with pytest.raises(ConfigError, match=r"^lease\.name: a Lease cannot be held: ") as refused:
            async with guarding(given, lease):
                pass
        assert reason in str(refused.value)

    with ApiServer() as api:
        run(scenario(api))

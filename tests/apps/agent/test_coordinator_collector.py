"""A mesh without a collector, whose coordinator judges: real agents on loopback, of which the coordinator is killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from kubesonar.apps.agent.coordinator_collector import MOST_JUDGED, CoordinatorCollector
from kubesonar.model import Member, Roster
from kubesonar.net.clock import SystemClock
from tests.apps.agents import RunningAgent, tree, until
from tests.apps.pager import Pager
from tests.ports import free_port
from tests.virtual_time import VirtualClock, now, run_virtually

HOSTS = {"a": "127.0.0.11", "b": "127.0.0.12", "c": "127.0.0.13"}
LATE = 120.0
"""Seconds for what takes 20 on a machine that is not busy."""


class Mesh:
    """Agents with an address each, and a target that refuses all of them."""

    def __init__(self, folder: Path, pager: Pager) -> None:
        (folder / "keys").write_text(f"1 {16 * 'ab'}\n")
        (folder / "token").write_text("reader\n")
        self._folder = folder
        self._pager = pager
        self.port, self._judging = free_port(*HOSTS.values()), free_port(*HOSTS.values())
        entries = [{"name": name, "node": name, "addresses": [host], "port": self.port} for name, host in HOSTS.items()]
        self._roster = folder / "members.json"
        self._roster.write_text(json.dumps({"version": 1, "members": entries}))

    def agent(self, name: str) -> RunningAgent:
        whole = tree(
            name,
            self.port,
            self._roster,
            keys={"file": str(self._folder / "keys")},
            coordinator={"judge": True, "port": self._judging, "page_address": f"http://{{address}}:{self._judging}"},
            targets=[
                {"name": "db", "kind": "tcp", "path": "external", "address": HOSTS["a"], "port": 9, "period": 1.0}
            ],
            cluster={"name": "prod"},
            notify={"receivers": [{"name": "pager", "url": self._pager.url}], "delivery": {"first": 0.1}},
            api={"token_file": str(self._folder / "token")},
        )
        whole["member"]["bind"] = [HOSTS[name]]
        return RunningAgent(self._folder, name, **whole)

    def page(self, name: str) -> str:
        """Where people find the page while that agent coordinates."""
        return f"http://{HOSTS[name]}:{self._judging}"

    def asked(self, name: str, path: str) -> Any:
        """A document of the collector beside that agent, None where there is none or it has none."""
        connection = HTTPConnection(HOSTS[name], self._judging, timeout=10)
        try:
            connection.request("GET", path, headers={"Authorization": "Bearer reader"})
            answer = connection.getresponse()
            body = answer.read()
        except OSError:
            return None
        finally:
            connection.close()
        return json.loads(body) if answer.status == 200 else None

    def knowing(self, among: Mapping[str, RunningAgent], *subjects: str) -> str:
        """The agent beside which a collector knows open incidents of these subjects; empty while there is none."""
        return next((name for name in among if self.open(name).keys() >= set(subjects)), "")

    def heard(self, among: Mapping[str, RunningAgent], since: float) -> str:
        """The agent beside which a collector has heard from all agents since that time; empty while there is none."""
        for name in among:
            found = (self.asked(name, "/api/v1/members") or {}).get("members", [])
            now = SystemClock().wall()
            if found and all(one["reported"] is not None and now - one["reported"] > since for one in found):
                return name
        return ""

    def open(self, name: str) -> dict[str, str]:
        """The ids of the open incidents that it knows, by subject."""
        found = self.asked(name, "/api/v1/incidents?open=true") or {"incidents": []}
        return {one["finding"]["subject"]: one["id"] for one in found["incidents"]}


@pytest.mark.timeout(500)
def test_when_the_coordinator_is_killed_the_next_one_goes_on_with_the_incident_and_does_not_tell_it_again(
    tmp_path: Path,
) -> None:
    with Pager() as pager, ExitStack() as closing:
        mesh = Mesh(tmp_path, pager)
        agents = {name: mesh.agent(name) for name in HOSTS}
        for agent in agents.values():
            closing.enter_context(agent)
        until(lambda: "incident.opened db" in pager.events, LATE)
        told = SystemClock().wall()
        first = until(lambda: mesh.heard(agents, told), LATE)
        id = until(lambda: mesh.open(first).get("db"), LATE)
        left = {name: agent for name, agent in agents.items() if name != first}
        until(lambda: not any(mesh.asked(name, "/api/v1/verdict") for name in left), LATE)
        agents[first].__exit__()
        until(lambda: not mesh.asked(first, "/api/v1/verdict"), LATE)  # so it ends with its agent
        second = until(lambda: mesh.knowing(left, "db", first), LATE)  # so it has decided something
        assert mesh.open(second)["db"] == id
        until(lambda: any(event.endswith(f" {first}") for event in pager.events), LATE)
        assert pager.events.count("incident.opened db") == 1
        assert f"{mesh.page(first)}/incidents/{id}" in pager.pages
        assert left[second].stop() == 0
        assert mesh.asked(second, "/api/v1/verdict") is None


def test_nobody_is_reported_to_without_a_coordinator_or_in_a_large_mesh() -> None:
    members = tuple(Member(f"m{number}", f"n{number}", ("10.0.0.1",), 7473) for number in range(MOST_JUDGED + 1))
    judging = CoordinatorCollector(lambda: asyncio.sleep(0), SystemClock())
    few, many = Roster("few", members[:-1]), Roster("many", members)
    assert judging.target(few, "m3") == members[3]
    assert judging.target(few, "") is None
    assert judging.target(few, "nobody") is None
    assert judging.target(many, "m3") is None


class Collectors:
    """Collectors that last for so many seconds each, the last of these for all that follow; when each began and ended,
    in virtual seconds."""

    def __init__(self, *lasting: float) -> None:
        self.began: list[float] = []
        self.ended: list[float] = []
        self._lasting = lasting

    async def run(self) -> None:
        self.began.append(now())
        try:
            await asyncio.sleep(self._lasting[min(len(self.began), len(self._lasting)) - 1])
        finally:
            self.ended.append(now())


def judged(collectors: Collectors, parts: Mapping[float, bool], until: float) -> None:
    """Let an agent be elected, or lose its office, at these seconds, until then."""

    async def work() -> None:
        judging = CoordinatorCollector(collectors.run, VirtualClock())
        task = asyncio.create_task(judging.run())
        for at, mine in parts.items():
            await asyncio.sleep(at - now())
            judging.elected(mine)
        await asyncio.sleep(until - now())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtually(work())


def test_a_collector_that_ends_at_once_is_started_again_after_pauses_that_double() -> None:
    collectors = Collectors(0.0)
    judged(collectors, {1.0: True}, 400.0)
    assert collectors.began == [1.0, 6.0, 16.0, 36.0, 76.0, 156.0, 236.0, 316.0, 396.0]


def test_one_that_ran_for_long_is_started_again_as_soon_as_the_first_time() -> None:
    collectors = Collectors(0.0, 0.0, 100.0, 0.0)
    judged(collectors, {1.0: True}, 137.0)
    assert collectors.began == [1.0, 6.0, 16.0, 121.0, 131.0]


def test_who_is_elected_again_does_not_wait_for_a_pause_of_its_last_office() -> None:
    collectors = Collectors(0.0, 0.0, 0.0, 1000.0)
    judged(collectors, {1.0: True, 20.0: False, 21.0: True, 50.0: False, 60.0: True}, 70.0)
    assert collectors.began == [1.0, 6.0, 16.0, 21.0, 60.0]
    assert collectors.ended == [1.0, 6.0, 16.0, 50.0, 70.0]


def test_a_mesh_that_has_become_large_is_not_judged_until_it_is_small_again() -> None:
    collectors = Collectors(1000.0)
    members = tuple(Member(f"m{number}", f"n{number}", ("10.0.0.1",), 7473) for number in range(MOST_JUDGED + 1))

    async def work() -> None:
        judging = CoordinatorCollector(collectors.run, VirtualClock())
        judging.elected(mine=True)
        task = asyncio.create_task(judging.run())
        for size in (MOST_JUDGED + 1, MOST_JUDGED):
            await asyncio.sleep(10.0)
            judging.roster_changed(Roster("r", members[:size]))
        await asyncio.sleep(10.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtually(work())
    assert (collectors.began, collectors.ended) == ([0.0, 20.0], [10.0, 30.0])

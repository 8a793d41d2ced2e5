"""What must outlive a doctor, in its Lease."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.core.remedy.events import PendingRestart, RemedyMemory
from kubesonar.doctor.repair.lease_memory import RESTARTS_ANNOTATION, LeaseMemory
from kubesonar.kube.client import Client
from tests.clocks import TurnedClock
from tests.kube.apiserver import ApiServer
from tests.kube.running import with_client

PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/doctor"
SPENT = RemedyMemory((0.0, 0.0, 0.0))
BEFORE = frozenset(f"{number:08d}-0000-0000-0000-000000000000" for number in range(40))
MEMORY = RemedyMemory((700.0, 10.0), 1, PendingRestart("u1", "coredns-1", 10.0, BEFORE), "u9")


def lease(api: ApiServer, holder: str = "me", text: str | None = None) -> None:
    notes = {} if text is None else {RESTARTS_ANNOTATION: text}
    api.put("leases", {"metadata": {"name": "doctor", "annotations": notes}, "spec": {"holderIdentity": holder}})


def test_what_was_written_is_read_again_and_has_aged(tmp_path: Path) -> None:
    clock = TurnedClock()

    async def work(client: Client) -> tuple[bool, RemedyMemory | None]:
        memory = LeaseMemory(client, PATH, "me", clock)
        written = await memory.write(MEMORY)
        clock.ahead = 100.0
        return written, await memory.read(SPENT)

    with ApiServer() as api:
        lease(api)
        written, read = with_client(api, tmp_path, work)
    assert written
    assert read is not None
    assert read.pending is not None
    assert [round(age) for age in read.restarts] == [800, 110]
    assert (round(read.pending.age), read.pending.before) == (110, BEFORE)
    assert (read.unhelpful, read.trial) == (1, "u9")


def test_only_the_holder_writes(tmp_path: Path) -> None:
    with ApiServer() as api:
        lease(api, holder="another")
        written = with_client(
            api, tmp_path, lambda client: LeaseMemory(client, PATH, "me", TurnedClock()).write(MEMORY)
        )
        assert not written
        assert api.asked("patch") == []


def test_a_renewal_at_the_same_moment_is_no_failure(tmp_path: Path) -> None:
    with ApiServer() as api:
        lease(api)
        api.fail(409, verb="patch")
        assert with_client(api, tmp_path, lambda client: LeaseMemory(client, PATH, "me", TurnedClock()).write(MEMORY))


@pytest.mark.parametrize("text, expected", [(None, RemedyMemory()), ("nonsense", SPENT), ('{"version":1}', SPENT)])
def test_nothing_written_is_nothing_done_and_nonsense_a_budget_used_up(
    tmp_path: Path, text: str | None, expected: RemedyMemory
) -> None:
    with ApiServer() as api:
        lease(api, text=text)
        read = with_client(api, tmp_path, lambda client: LeaseMemory(client, PATH, "me", TurnedClock()).read(SPENT))
    assert read == expected


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_without_the_api_server_nothing_is_written(tmp_path: Path, verb: str) -> None:
    async def work(client: Client) -> tuple[bool, RemedyMemory | None]:
        memory = LeaseMemory(client, PATH, "me", TurnedClock())
        return await memory.write(MEMORY), await memory.read(SPENT)

    with ApiServer() as api:
        lease(api)
        api.refuse(verb, "leases")
        written, read = with_client(api, tmp_path, work)
    assert not written
    assert (read is None) is (verb == "get")

"""The store in custom resources, against the API double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubesonar.stores.custom_kind import CustomKind
from kubesonar.stores.kubernetes import RECORDS_LIMIT, KubernetesStore
from kubesonar.stores.store import Delete, Guard, Put, Store, StoreRefused, StoreUnavailable
from tests.clocks import TurnedClock
from tests.kube.apiserver import ApiServer
from tests.kube.running import client_of
from tests.stores.conformance import Conformance, names

AGENTS = CustomKind("network-checker.ext", "agents", "Agent")


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as served:
        yield served


@asynccontextmanager
async def stored(api: ApiServer, folder: Path, clock: TurnedClock | None = None) -> AsyncIterator[KubernetesStore]:
    store = KubernetesStore(client_of(api, folder), "default", clock or TurnedClock(), {"agents": AGENTS})
    try:
        yield store
    finally:
        await store.close()


def use(api: ApiServer, folder: Path, work: Callable[[KubernetesStore], Awaitable[None]]) -> None:
    async def used() -> None:
        async with stored(api, folder) as store:
            await work(store)

    asyncio.run(used())


class TestKubernetes(Conformance):
    @pytest.fixture(autouse=True)
    def _api(self, api: ApiServer) -> None:
        self.api = api
        self.clock = TurnedClock()

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Store]:
        async with stored(self.api, folder, self.clock) as store:
            yield store

    async def let_pass(self, seconds: float) -> None:
        self.clock.ahead += seconds


def test_a_record_is_the_spec_of_an_object_which_others_may_change(api: ApiServer, tmp_path: Path) -> None:
    async def work(store: KubernetesStore) -> None:
        await store.write([Put("agents", "agent-1", b'{"uptime":1}'), Put("counters", "a", b'{"n":1}')])
        assert api.get("agents", "agent-1")["spec"] == {"uptime": 1}
        assert api.get("records", "counters.a")["spec"] == {"n": 1}
        await store.write([Put("agents", "agent-1", b'{"uptime":2}')])
        api.put("agents", {"metadata": {"name": "agent-1"}, "spec": {"uptime": 7}})
        await store.write([Put("agents", "agent-1", b'{"uptime":8}')])
        api.delete("agents", "agent-1")
        await store.write([Put("agents", "agent-1", b'{"uptime":9}')])
        assert await store.get("agents", "agent-1") == b'{"uptime":9}'
        api.delete("agents", "agent-1")
        await store.write([Delete("agents", "agent-1")])
        assert await names(store, "agents") == []

    use(api, tmp_path, work)


def test_one_report_after_another_costs_one_request_each(api: ApiServer, tmp_path: Path) -> None:
    async def work(store: KubernetesStore) -> None:
        await store.write([Put("agents", "agent-1", b"{}")])
        before = len(api.log)
        for number in range(5):
            await store.write([Put("agents", "agent-1", b'{"uptime":%d}' % number)])
        assert len(api.log) - before == 5

    use(api, tmp_path, work)


def test_what_expired_is_swept(api: ApiServer, tmp_path: Path) -> None:
    async def work() -> None:
        clock = TurnedClock()
        async with stored(api, tmp_path, clock) as store:
            await store.write([Put("agents", "agent-1", b"{}", 10.0)])
            clock.ahead += 11
            assert await names(store, "agents") == []
            assert api.asked("delete", "agents")

    asyncio.run(work())


def test_definitions_are_made_once_and_need_no_right_where_they_are_there(api: ApiServer, tmp_path: Path) -> None:
    async def work(store: KubernetesStore) -> None:
        for number in range(3):
            await store.write([Put("agents", f"agent-{number}", b"{}")])

    use(api, tmp_path, work)
    assert len(api.asked("create", "customresourcedefinitions")) == 1
    definition = api.get("customresourcedefinitions", "agents.network-checker.ext", "")
    assert definition["spec"]["names"]["kind"] == "Agent"
    use(api, tmp_path, work)
    api.refuse("create", "customresourcedefinitions")
    use(api, tmp_path, work)


def test_more_agents_than_the_api_server_should_bear_are_refused(api: ApiServer, tmp_path: Path) -> None:
    async def work(store: KubernetesStore) -> None:
        for number in range(RECORDS_LIMIT - 1):
            api.put("agents", {"metadata": {"name": f"agent-{number}"}, "spec": {}})
        assert await store.write([Put("agents", "last", b"{}")])
        with pytest.raises(StoreRefused, match=f"there are {RECORDS_LIMIT} records of agents already"):
            await store.write([Put("agents", "one-more", b"{}")])
        assert await store.write([Put("agents", "agent-7", b'{"uptime":1}')])

    use(api, tmp_path, work)


def test_an_outage_is_one_and_over_when_the_server_is_back(api: ApiServer, tmp_path: Path) -> None:
    async def work(store: KubernetesStore) -> None:
        await store.write([Put("agents", "a", b"{}")])
        api.fail(500, times=1)
        with pytest.raises(StoreUnavailable, match="500"):
            await store.write([Put("agents", "a", b'{"n":1}')])
        api.fail(422, times=1)
        with pytest.raises(StoreRefused, match="422"):
            await store.write([Put("agents", "a", b'{"n":1}')])
        api.refuse("update", "agents")
        with pytest.raises(StoreUnavailable, match="403"):
            await store.write([Put("agents", "a", b'{"n":1}')])
        api.allow("update", "agents")
        assert await store.write([Put("agents", "a", b'{"n":2}')], Guard("agents", "a", b"{ }"))

    use(api, tmp_path, work)


def test_names_that_only_other_stores_take_are_refused(api: ApiServer, tmp_path: Path) -> None:
    async def work(store: KubernetesStore) -> None:
        for name in ("Agent", "agent_1", "-"):
            with pytest.raises(StoreRefused, match="none that the API server takes"):
                await store.write([Put("agents", name, b"{}")])

    use(api, tmp_path, work)

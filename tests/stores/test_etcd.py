"""The store in etcd, against real members."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubesonar.stores.etcd import EtcdStore
from kubesonar.stores.etcd_options import EtcdOptions
from kubesonar.stores.store import VALUE_LIMIT, Guard, Put, Store, StoreUnavailable
from tests.stores.conformance import Conformance, names
from tests.stores.etcds import EtcdMembers, key


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdMembers]:
    """A member that goes through no trouble."""
    with EtcdMembers(tmp_path_factory.mktemp("etcd")) as members:
        yield members


@pytest.fixture
def member(tmp_path: Path) -> Iterator[EtcdMembers]:
    """A member to be harmed."""
    with EtcdMembers(tmp_path) as members:
        yield members


@pytest.fixture
def three(tmp_path: Path) -> Iterator[EtcdMembers]:
    """Three members with TLS."""
    with EtcdMembers(tmp_path, 3, tls=True) as members:
        yield members


@asynccontextmanager
async def stored(options: EtcdOptions) -> AsyncIterator[EtcdStore]:
    store = EtcdStore(options)
    try:
        yield store
    finally:
        await store.close()


def use(options: EtcdOptions, work: Callable[[EtcdStore], Awaitable[None]]) -> None:
    async def used() -> None:
        async with stored(options) as store:
            await work(store)

    asyncio.run(used())


async def put(store: Store, name: str) -> bool:
    return await store.write([Put("a", name, b"{}")])


async def put_soon(store: Store, name: str) -> int:
    """Write a record as its user does, again and again until it is done; return how often that failed."""
    for failures in range(100):
        try:
            await put(store, name)
        except StoreUnavailable:
            await asyncio.sleep(0.1)
        else:
            return failures
    raise AssertionError(f"{name} was never written")


class TestEtcd(Conformance):
    @pytest.fixture(autouse=True)
    def _endpoints(self, one: EtcdMembers, tmp_path: Path) -> None:
        self.options = EtcdOptions(endpoints=one.endpoints, tree=str(tmp_path))

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Store]:
        async with stored(self.options) as store:
            yield store

    async def let_pass(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def test_a_record_is_a_key_below_the_tree_with_its_value_as_it_is(one: EtcdMembers) -> None:
    async def work(store: EtcdStore) -> None:
        await store.write([Put("agents", "netchecker-agent-1", b'{"uptime":1}', 300.0)])
        found = await one.ask("kv/range", key=key("netchecker/agents/netchecker-agent-1"))
        (kept,) = found["kvs"]
        assert kept["value"] == key('{"uptime":1}')
        left = await one.ask("lease/timetolive", ID=kept["lease"])
        assert int(left["TTL"]) + 1 >= 300 and int(left["grantedTTL"]) == 303

    use(EtcdOptions(endpoints=one.endpoints, tree="netchecker"), work)


def test_keys_that_are_no_records_are_passed_over_however_many_there_are(one: EtcdMembers) -> None:
    async def work(store: EtcdStore) -> None:
        for name in ("a", "z"):
            await store.write([Put("agents", name, b"{}")])
        strange = [b"mixed/agents/\xff%d" % number for number in range(130)]
        strange += [b"mixed/agents/a/17", b"mixed/agents/", b"mixed/agents/m\xc3\xa9", b"mixed/agents/b c"]
        for each in strange:
            await one.ask("kv/put", key=b64encode(each).decode(), value="")
        assert await names(store, "agents") == ["a", "z"]
        assert [record.name for record in await store.read("agents", limit=2)] == ["a", "z"]
        assert [record.name for record in await store.read("agents", after="a")] == ["z"]

    use(EtcdOptions(endpoints=one.endpoints, tree="mixed"), work)


def test_records_written_in_a_row_share_a_lease_and_one_that_was_revoked_is_granted_anew(one: EtcdMembers) -> None:
    async def work(store: EtcdStore) -> None:
        for name in "bcd":
            await store.write([Put("agents", name, b"{}", 300.0)])
        found = await one.ask("kv/range", key=key("shared/agents/"), range_end=key("shared/agents0"))
        (lease,) = {each["lease"] for each in found["kvs"]}
        await one.ask("lease/revoke", ID=lease)
        assert await names(store, "agents") == []
        await store.write([Put("agents", "b", b"{}", 300.0)])
        assert await names(store, "agents") == ["b"]

    use(EtcdOptions(endpoints=one.endpoints, tree="shared"), work)


def test_a_member_that_was_killed_is_an_outage_and_keeps_what_it_had(member: EtcdMembers) -> None:
    async def work(store: EtcdStore) -> None:
        await put(store, "before")
        member.kill()
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:"):
            await put(store, "during")
        with pytest.raises(StoreUnavailable):
            await store.read("a")
        await asyncio.to_thread(member.start)
        await put_soon(store, "during")
        assert await names(store, "a") == ["before", "during"]

    use(EtcdOptions(endpoints=member.endpoints), work)


def test_compacting_and_defragmenting_change_nothing(member: EtcdMembers) -> None:
    async def work(store: EtcdStore) -> None:
        for number in range(20):
            await store.write([Put("a", "x", b'{"n":%d}' % number, 60.0)])
        header = (await member.ask("kv/range", key=key("x")))["header"]
        await member.ask("kv/compaction", revision=header["revision"], physical=True)
        await member.ask("maintenance/defragment")
        assert await store.get("a", "x") == b'{"n":19}'
        assert await store.write([Put("a", "x", b"{}")], Guard("a", "x", b'{"n":19}'))

    use(EtcdOptions(endpoints=member.endpoints), work)


def test_a_full_etcd_is_an_outage_and_over_once_there_is_room(tmp_path: Path) -> None:
    with EtcdMembers(tmp_path, quota=4 << 20) as members:
        _fill_and_clear(members)


def _fill_and_clear(members: EtcdMembers) -> None:
    async def work(store: EtcdStore) -> None:
        large = b'"' + bytes([120]) * (VALUE_LIMIT - 2) + b'"'
        with pytest.raises(StoreUnavailable, match="database space exceeded"):
            for number in range(40):
                await store.write([Put("a", f"large-{number}", large)])
        assert await store.get("a", "large-0") == large
        header = (await members.ask("kv/deleterange", key=key("kubesonar/a/"), range_end=key("kubesonar/a0")))["header"]
        await members.ask("kv/compaction", revision=header["revision"], physical=True)
        await members.ask("maintenance/defragment")
        (alarm,) = (await members.ask("maintenance/alarm", action="GET"))["alarms"]
        await members.ask("maintenance/alarm", action="DEACTIVATE", **alarm)
        await put_soon(store, "small")
        assert await names(store, "a") == ["small"]

    use(EtcdOptions(endpoints=members.endpoints), work)


def test_three_members_with_tls_and_a_password_of_which_one_is_frozen_or_lost(three: EtcdMembers) -> None:
    async def work(store: EtcdStore) -> None:
        await three.protect("root", "secret")
        await put(store, "all")
        three.freeze(0)
        assert await put_soon(store, "two") < 5
        three.thaw(0)
        three.kill(1)
        for number in range(6):  # more than there are endpoints
            await put_soon(store, f"after-{number}")
        assert len(await store.read("a")) == 8
        token = (await three.ask("auth/authenticate", name="root", password="secret"))["token"]
        assert await three.ask("auth/status", token)

    use(options_of(three, password="secret"), work)


def options_of(members: EtcdMembers, *, ca_file: str | None = None, password: str = "") -> EtcdOptions:
    ca_file = members.ca_file if ca_file is None else ca_file
    return EtcdOptions(endpoints=members.endpoints, ca_file=ca_file, user="root", password=password)


def test_who_it_is_talking_to_is_verified_unless_that_is_switched_off(tmp_path: Path) -> None:
    with EtcdMembers(tmp_path, tls=True) as members:
        _verify(members)


def _verify(members: EtcdMembers) -> None:
    async def unverified(store: EtcdStore) -> None:
        with pytest.raises(StoreUnavailable, match="certificate"):
            await put(store, "a")

    async def believed(store: EtcdStore) -> None:
        assert await put(store, "a")

    async def wrong(store: EtcdStore) -> None:
        await members.protect("root", "secret")
        with pytest.raises(StoreUnavailable, match="invalid user ID or password"):
            await put(store, "a")

    async def missing(store: EtcdStore) -> None:
        with pytest.raises(StoreUnavailable, match="files for TLS cannot be used: No such file"):
            await put(store, "a")

    use(EtcdOptions(endpoints=members.endpoints), unverified)
    use(EtcdOptions(endpoints=members.endpoints, verify=False), believed)
    use(options_of(members, ca_file="/nowhere/ca.pem"), missing)
    use(options_of(members, password="guess"), wrong)

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar import __version__
from kubesonar.kube.auth.loading_rules import from_kubeconfig, in_cluster
from kubesonar.kube.client import ApiError, Client, Event
from kubesonar.kube.resource import NODES, Resource, leases, pods
from kubesonar.kube.types import Lease, Node, Pod
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import PODS, client_of, run, with_client
from tests.kube.shapes import Version

PATH = pods("default")

QUIETLY = {"seconds": 60.0, "silence": 60.0}


def _error(api: ApiServer, folder: Path, work: Callable[[Client], Awaitable[Any]]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        with_client(api, folder, work)
    return caught.value


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_gets_over_verified_tls(tmp_path: Path, address: str) -> None:
    with ApiServer(address) as api:
        version = with_client(api, tmp_path, lambda client: client.get("/version", Version))
        assert version.git_version == "v1.36.0"
        (asked,) = api.asked("get")
        assert (asked.agent, asked.accept) == (f"kubesonar/{__version__}", "application/json")


def test_gets_share_a_connection(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for _ in range(5):
            await client.get("/version", Version)

    with ApiServer() as api:
        with_client(api, tmp_path, work)
        assert api.handshakes == 1


def test_gets_at_one_time_do_not_wait_for_one_another(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await asyncio.gather(*(client.get("/version", Version) for _ in range(5)))
        await asyncio.gather(*(client.get("/version", Version) for _ in range(2)))

    with ApiServer() as api:
        with_client(api, tmp_path, work)
        assert len(api.log) == 7
        assert api.handshakes == 5


def test_a_refusal_says_what_the_server_says(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.refuse("get", "pods")
        error = _error(api, tmp_path, lambda client: client.get(f"{PATH}/a", Pod))
        assert (error.status, error.reason) == (403, "Forbidden")
        assert 'cannot get resource "pods" in the namespace "default"' in error.message
        error = _error(api, tmp_path, lambda client: client.get("/api/v1/nodes/none", Node))
        assert (error.status, error.reason) == (404, "NotFound")


def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await client.list(PODS)
        api.rotate_token("token-2")
        await client.list(PODS)

    with ApiServer() as api:
        with_client(api, tmp_path, work)
        assert [(one.token, status) for one, status in api.log] == [("token-1", 200), ("token-2", 200)]


def test_a_token_refused_is_read_again_once(tmp_path: Path) -> None:
    """As where the token is written over within the resolution of the file's time stamp."""

    async def work(client: Client) -> None:
        await client.list(PODS)
        api.switches.tokens = {"token-2"}
        await client.list(PODS)

    with ApiServer() as api:
        error = _error(api, tmp_path, work)
        assert error.status == 401
        assert [status for _, status in api.log] == [200, 401]


def test_busy_servers_are_left_alone_for_as_long_as_they_say(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.fail(429, retry_after=1)
        version = with_client(api, tmp_path, lambda client: client.get("/version", Version))
        assert version.git_version == "v1.36.0"
        assert [status for _, status in api.log] == [429, 200]


def test_a_wait_longer_than_the_deadline_is_the_callers(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.fail(503, retry_after=100, times=9)
        for work in (lambda client: client.get("/version", Version), lambda client: client.list(PODS)):
            error = _error(api, tmp_path, work)
            assert (error.status, error.retry_after) == (503, 100.0)
        assert len(api.log) == 2


def test_an_error_of_the_server(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.fail(500)
        error = _error(api, tmp_path, lambda client: client.list(PODS))
        assert str(error) == "500 InternalError: as the test wants it"


def test_slow_answers_end_at_the_deadline(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.switches.slow = 5
        error = _error(api, tmp_path, lambda client: client.get("/version", Version, timeout=0.2))
        assert (error.status, error.reason) == (0, "timeout")


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.expire_certificate()
        error = _error(api, tmp_path, lambda client: client.get("/version", Version))
        assert (error.status, error.message) == (0, "the certificate has expired")
        assert api.log == []


def test_a_server_with_another_ca_never_sees_the_token(tmp_path: Path) -> None:
    with ApiServer() as api, ApiServer() as impostor:
        environ = api.in_cluster(tmp_path) | {"KUBERNETES_SERVICE_PORT": str(impostor.port)}
        client = Client(in_cluster(environ, str(tmp_path)))
        with pytest.raises(ApiError, match="issuer is not known"):
            run(client.list(PODS))
        assert impostor.log == []


def test_nobody_listens(tmp_path: Path) -> None:
    api = ApiServer()
    with api:
        client = client_of(api, tmp_path)
    with pytest.raises(ApiError) as caught:
        run(client.get("/version", Version))
    assert (caught.value.status, caught.value.reason) == (0, "refused")


@pytest.mark.parametrize("pages_from_cache", [False, True])
def test_lists_in_pages_or_all_at_once(tmp_path: Path, pages_from_cache: bool) -> None:
    with ApiServer() as api:
        api.populate(1200)
        api.switches.pages_from_cache = pages_from_cache
        listing = with_client(api, tmp_path, lambda client: client.list(Resource(NODES, Node)))
        assert {node.metadata.name for node in listing.items} == {f"node-{number}" for number in range(1200)}
        assert (len(listing.items), listing.version) == (1200, str(api.store.version))
        queries = [one.query for one in api.asked("list")]
        assert queries[0] == {"limit": "500", "resourceVersion": "0"}
        assert len(queries) == (3 if pages_from_cache else 1)
        assert all("resourceVersion" not in query for query in queries[1:])


def test_an_exact_list_asks_for_no_version(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.populate(501)
        listing = with_client(api, tmp_path, lambda client: client.list(PODS, ""))
        assert len(listing.items) == 501
        assert api.asked("list")[0].query == {"limit": "500"}


def test_a_list_that_expires_between_two_pages_is_begun_again(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.populate(600)
        api.switches.pages_from_cache = True
        api.switches.expired_pages = 2
        listing = with_client(api, tmp_path, lambda client: client.list(PODS))
        assert len(listing.items) == len({pod.metadata.name for pod in listing.items}) == 600
        assert [status for _, status in api.log] == [200, 410, 200, 410, 200, 200]


def test_a_list_that_expires_again_and_again_is_an_error(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.populate(600)
        api.switches.pages_from_cache = True
        api.switches.expired_pages = 100
        assert _error(api, tmp_path, lambda client: client.list(PODS)).status == 410
        assert len(api.log) == 8


def test_a_list_that_never_ends_is_an_error(tmp_path: Path) -> None:
    page = b'{"kind":"PodList","metadata":{"resourceVersion":"1","continue":"again"},"items":[]}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(page), page)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1")
        file = tmp_path / "kubeconfig"
        where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        file.write_text(
            "{current-context: c, contexts: [{name: c, context: {cluster: c}}], "
            f"clusters: [{{name: c, cluster: {{server: '{where}'}}}}]}}"
        )
        client = Client(from_kubeconfig(str(file)))
        with pytest.raises(ApiError, match="more than 1000 pages"):
            await client.list(PODS)
        client.close()
        server.close()

    run(scenario())


def test_a_list_cut_off_is_an_error(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.populate(100)
        api.switches.cut_lists = 1
        error = _error(api, tmp_path, lambda client: client.list(PODS))
        assert (error.status, error.reason) == (0, "reset")


def test_selectors_go_to_the_server(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a", node="n1", labels={"tier": "x"}))
        api.put("pods", shapes.pod("b", node="n2", labels={"tier": "x"}))
        api.put("pods", shapes.pod("c", node="n1", labels={"tier": "y"}))
        resource = Resource(PATH, Pod, labels="tier in (x, z),kubesonar.io/port=7473", fields="spec.nodeName=n1")
        listing = with_client(api, tmp_path, lambda client: client.list(resource))
        assert [pod.metadata.name for pod in listing.items] == ["a"]


def test_objects_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    async def work(client: Client) -> tuple[int, int, int]:
        listing = await client.list(PODS)
        return len(listing.items), listing.skipped, client.skipped

    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        api.put("pods", {"metadata": {"name": "b"}, "status": {"podIP": 5}})
        assert with_client(api, tmp_path, work) == (1, 1, 1)


async def _events(client: Client, count: int, *act: Callable[[], object]) -> list[Event[Pod]]:
    listing = await client.list(PODS)
    found: list[Event[Pod]] = []
    async with aclosing(client.watch(PODS, listing.version, **QUIETLY)) as events:
        async for event in events:
            found.append(event)
            if len(found) == 1:
                for one in act:
                    one()
            if len(found) == count:
                break
    return found


def test_watches_what_changes(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        events = with_client(
            api,
            tmp_path,
            lambda client: _events(
                client,
                4,
                lambda: api.put("pods", shapes.pod("b")),
                lambda: api.put("pods", shapes.pod("a", ready=False)),
                lambda: api.delete("pods", "b"),
            ),
        )
        assert [(event.type, event.key) for event in events] == [
            ("BOOKMARK", ""),
            ("ADDED", "default/b"),
            ("MODIFIED", "default/a"),
            ("DELETED", "default/b"),
        ]
        assert events[3].version == str(api.store.version)
        query = api.asked("watch")[0].query
        assert (query["allowWatchBookmarks"], query["timeoutSeconds"]) == ("true", "60")


def test_bookmarks_bring_the_version_on(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.switches.bookmarks = 0.05
        events = with_client(api, tmp_path, lambda client: _events(client, 2, lambda: api.populate(3, namespace="x")))
        assert [event.type for event in events] == ["BOOKMARK", "BOOKMARK"]
        assert int(events[1].version) > int(events[0].version)


def test_what_no_longer_fits_a_selector_is_deleted(tmp_path: Path) -> None:
    async def work(client: Client) -> list[str]:
        seen: list[str] = []
        resource = Resource(PATH, Pod, labels="tier=x")
        async with aclosing(client.watch(resource, (await client.list(resource)).version, **QUIETLY)) as events:
            async for event in events:
                if not seen:
                    api.put("pods", shapes.pod("a", labels={"tier": "y"}))
                    api.put("pods", shapes.pod("a", labels={"tier": "x"}))
                seen.append(event.type)
                if len(seen) == 3:
                    break
        return seen

    with ApiServer() as api:
        api.put("pods", shapes.pod("a", labels={"tier": "x"}))
        assert with_client(api, tmp_path, work) == ["BOOKMARK", "DELETED", "ADDED"]


def test_a_line_that_is_no_event_ends_nothing(tmp_path: Path) -> None:
    async def work(client: Client) -> tuple[list[Event[Pod]], int]:
        lines = [b"{}", b"[" * 5000, b"no", b'{"type":"NEW","object":{}}', b'{"type":"ADDED","object":7}']
        acts = [lambda line=line: api.say(line) for line in lines]
        return await _events(client, 2, *acts, lambda: api.put("pods", shapes.pod("b"))), client.skipped

    with ApiServer() as api:
        events, skipped = with_client(api, tmp_path, work)
        assert [event.key for event in events] == ["", "default/b"]
        assert skipped == 5


def test_an_object_that_does_not_fit_still_brings_the_version_on(tmp_path: Path) -> None:
    bad = {"metadata": {"name": "b"}, "status": {"podIP": 5}}
    with ApiServer() as api:
        events = with_client(api, tmp_path, lambda client: _events(client, 2, lambda: api.put("pods", bad)))
        assert (events[1].object, events[1].key, events[1].version) == (None, "default/b", str(api.store.version))


@pytest.mark.parametrize("at_once", [False, True])
def test_an_expired_version_is_410(tmp_path: Path, at_once: bool) -> None:
    async def work(client: Client) -> None:
        async for _ in client.watch(PODS, "1", **QUIETLY):
            pass

    with ApiServer() as api:
        api.switches.gone_at_once = at_once
        error = _error(api, tmp_path, work)
        assert (error.status, error.reason) == (410, "Expired")


def test_a_list_and_its_watch_share_a_connection(tmp_path: Path) -> None:
    with ApiServer() as api:
        with_client(api, tmp_path, lambda client: _events(client, 1))
        assert api.handshakes == 1


def test_a_line_without_an_end_ends_a_watch(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        async for _ in client.watch(PODS, "100", **QUIETLY):
            api.say(b"x" * (5 << 20))

    with ApiServer() as api:
        error = _error(api, tmp_path, work)
        assert (error.status, error.reason, error.message) == (0, "wrong_answer", "a line of more than 4194304 bytes")


def test_an_object_without_an_end_is_not_read(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a", bulk=5 << 20))
        error = _error(api, tmp_path, lambda client: client.get(f"{PATH}/a", Pod))
        assert (error.reason, error.message) == ("TooLarge", "an answer of more than 4194304 bytes")


def test_silence_ends_a_watch(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        async for _ in client.watch(PODS, "100", seconds=60, silence=0.2):
            api.freeze()

    with ApiServer() as api:
        error = _error(api, tmp_path, work)
        assert (error.status, error.reason) == (0, "timeout")


def test_a_lease_is_made_renewed_and_contested(tmp_path: Path) -> None:
    path = leases("default")

    async def work(client: Client) -> list[int]:
        made = await client.send("POST", path, msgspec.json.encode(shapes.lease("l", "me")), Lease)
        again = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, lease_transitions=1))
        renewed = await client.send("PUT", f"{path}/l", msgspec.json.encode(again), Lease)
        assert renewed.spec.lease_transitions == 1
        patch = b'{"spec":{"holderIdentity":"you"}}'
        patched = await client.send("PATCH", f"{path}/l", patch, Lease, "application/merge-patch+json")
        assert patched.spec.holder_identity == "you"
        statuses = []
        for method, where, body in (
            ("PUT", f"{path}/l", msgspec.json.encode(again)),
            ("POST", path, msgspec.json.encode(shapes.lease("l", "me"))),
            ("PUT", f"{path}/l2", msgspec.json.encode(shapes.lease("l2", "me"))),
        ):
            with pytest.raises(ApiError) as caught:
                await client.send(method, where, body, Lease)
            statuses.append(caught.value.status)
        await client.send("DELETE", f"{path}/l", b"", Lease)
        return statuses

    with ApiServer() as api:
        assert with_client(api, tmp_path, work) == [409, 409, 404]
        assert api.store.all("leases", lambda tree: True)[0] == []
        assert api.handshakes == 1


@pytest.mark.parametrize("path", ["", "version", "/a b", "/a\r\nx", "/\x00"])
def test_a_path_that_is_none_is_a_bug_of_the_caller(tmp_path: Path, path: str) -> None:
    with ApiServer() as api, pytest.raises(ValueError, match="a path begins with /"):
        with_client(api, tmp_path, lambda client: client.get(path, Version))

"""The server with its stores: what it answers, byte by byte, and what becomes of it in trouble."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from kubesonar.config import ConfigError
from tests.compat.netchecker.rig import (
    RunningServer,
    add_pods,
    agents_of_the_original_server,
    recorded,
    requests_of_the_original_agent,
    serving,
)
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.ports import free_port
from tests.stores.etcds import EtcdMembers, key
from tests.waiting import until

RESOURCES = "-kubeproxyinit"


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdMembers]:
    with EtcdMembers(tmp_path_factory.mktemp("etcd")) as members:
        yield members


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as served:
        yield served


@pytest.fixture
def in_etcd(etcd: EtcdMembers, tmp_path: Path) -> list[str]:
    """Flags for a tree of its own in etcd."""
    return [f"-etcd-endpoints={etcd.endpoints[0]}", f"-etcd-tree={tmp_path.name}"]


Work = Callable[[RunningServer], Awaitable[None]]


def use(api: ApiServer, folder: Path, work: Work, *flags: str) -> None:
    async def used() -> None:
        async with serving(api, folder, *flags) as server:
            await work(server)

    run(used())


async def report_as_recorded(server: RunningServer) -> list[str]:
    """Let the pods of the sample report what they reported."""
    agents = agents_of_the_original_server()
    for pod, spec in agents.items():
        add_pods(server.api, pod, node=spec["nodename"])
        spec.pop("last_updated")
        body = json.dumps({**spec, "zero_extender": [0] * 1500}).encode()
        answer = await server.ask("POST", f"/api/v1/agents/{pod}", body)
        assert (answer.status, answer.body) == (200, b"")
        assert "content-type" not in answer.headers
    return list(agents)


async def in_api(api: ApiServer, pod: str) -> bool:
    return pod in [tree["metadata"]["name"] for tree in api.store.all("agents", lambda _: True)[0]]


def without_times(text: bytes) -> object:
    tree = json.loads(text)
    for spec in tree.values():
        assert spec.pop("last_updated").startswith("20")
    return tree


@pytest.mark.parametrize("store", ["etcd", "resources"])
def test_nc01_nc02_nc09_nc13_answers_are_those_of_the_original(
    api: ApiServer, tmp_path: Path, in_etcd: list[str], store: str
) -> None:
    async def work(server: RunningServer) -> None:
        await report_as_recorded(server)
        answer = await server.get("/api/v1/agents/")
        head, body = recorded("GET /api/v1/agents/")
        assert answer.headers["content-type"] in head
        assert without_times(answer.body) == without_times(body)
        keys = [[*spec] for spec in answer.json.values()]
        assert keys == [[*spec] for spec in json.loads(body).values()]
        assert b" " not in answer.body and not answer.body.endswith(b"\n")
        answer = await server.check()
        head, body = recorded("GET /api/v1/connectivity_check")
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["content-type"] in head

    use(api, tmp_path, work, *(in_etcd if store == "etcd" else [RESOURCES]))


def test_nc03_nc04_an_agent_that_is_silent_for_two_intervals_is_outdated(api: ApiServer, tmp_path: Path) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-zjtkb", "netchecker-agent-b")
        await server.report("netchecker-agent-zjtkb", report_interval=0)
        await server.report("netchecker-agent-b")
        answer = await server.check()
        _, body = recorded(
            "GET /api/v1/connectivity_check, one agent cut off from the server for more than two intervals"
        )
        assert (answer.status, answer.body) == (400, body)
        add_pods(api, "netchecker-agent-new")
        await server.report("netchecker-agent-zjtkb")
        assert (await server.check()).json["Absent"] == ["netchecker-agent-new"]
        assert (await server.check()).json["Outdated"] == []
        await server.report("netchecker-agent-new")
        await until(lambda: in_api(api, "netchecker-agent-new"))
        resource = api.get("agents", "netchecker-agent-new")
        resource["spec"]["last_updated"] = "2020-01-01T00:00:00Z"  # written while another server's clock was wrong
        api.put("agents", resource)
        assert (await server.check()).json["Outdated"] == ["netchecker-agent-new"]

    use(api, tmp_path, work, RESOURCES)


def test_nc03_nc04_in_etcd_an_agent_is_absent_once_its_record_has_ended(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-a", "netchecker-agent-b")
        await server.report("netchecker-agent-a")
        answer = await server.check()
        assert (answer.status, answer.json["Absent"], answer.json["Outdated"]) == (400, ["netchecker-agent-b"], None)
        await server.report("netchecker-agent-b")
        assert (await server.check()).status == 200

        async def absent() -> bool:
            return bool((await server.check()).json["Absent"] == ["netchecker-agent-a", "netchecker-agent-b"])

        await until(absent)

    use(api, tmp_path, work, *in_etcd, "-report-ttl=1")


def test_nc05_nc06_an_unknown_agent_is_a_record_of_zeros_in_etcd(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    async def work(server: RunningServer) -> None:
        answer = await server.get("/api/v1/agents/nobody")
        assert (answer.status, answer.body.decode()) == (
            200,
            '{"report_interval":0,"nodename":"","podname":"","hostdate":"0001-01-01T00:00:00Z","uptime":0,'
            '"last_updated":"0001-01-01T00:00:00Z","nslookup":null,"network_probes":null,"ips":null}',
        )
        await server.ask("POST", "/api/v1/agents/of-the-url", b'{"podname":"of-the-report"}')
        assert (await server.get("/api/v1/agents/of-the-report")).json["podname"] == "of-the-report"
        assert [*(await server.get("/api/v1/agents/")).json] == ["of-the-report"]

    use(api, tmp_path, work, *in_etcd)


def test_nc05_nc06_an_agent_is_the_whole_custom_resource_and_an_unknown_one_is_nothing(
    api: ApiServer, tmp_path: Path
) -> None:
    async def work(server: RunningServer) -> None:
        answer = await server.get("/api/v1/agents/nobody")
        assert (answer.status, answer.body) == (200, recorded("GET /api/v1/agents/nobody")[1])
        assert "content-type" not in answer.headers
        assert (await server.get("/api/v1/agents/NO%20name")).body == b""
        await server.ask("POST", "/api/v1/agents/of-the-url", b'{"podname":"of-the-report"}')

        async def kept() -> bytes:
            return (await server.get("/api/v1/agents/of-the-url")).body

        await until(kept)
        found = (await server.get("/api/v1/agents/of-the-url")).json
        _, body = recorded("GET /api/v1/agents/<pod>")
        wanted = json.loads(body)
        assert (found["kind"], found["apiVersion"]) == (wanted["kind"], wanted["apiVersion"])
        assert found["metadata"]["namespace"] == wanted["metadata"]["namespace"]
        assert found["spec"].keys() == wanted["spec"].keys()
        assert found["spec"]["podname"] == "of-the-report"

    use(api, tmp_path, work, RESOURCES)


def test_nc08_nc28_a_report_that_is_none_is_500_and_counted(api: ApiServer, tmp_path: Path, in_etcd: list[str]) -> None:
    async def work(server: RunningServer) -> None:
        head, body = recorded("POST /api/v1/agents/x body not JSON")
        for bad in (
            b"nonsense",
            b"[]",
            b'{"uptime":-1}',
            b'{"hostdate":"noon"}',
            b"\xff",
            b"[" * 100_000,
            b'{"ips":7}',
        ):
            answer = await server.ask("POST", "/api/v1/agents/x", bad)
            assert answer.status == 500
            assert answer.body.startswith(body[:40]) and answer.body.endswith(b"\n")
            assert answer.headers["content-type"] in head and answer.headers["x-content-type-options"] == "nosniff"
        assert (await server.ask("POST", "/api/v1/agents/x", b"{}")).status == 200
        assert (await server.series())['ncagent_report_count_total{agent="-private_network"}'] == 8
        assert (await server.ask("POST", "/api/v1/agents/x", b"x" * 600_000)).status == 413

    use(api, tmp_path, work, *in_etcd)


@pytest.mark.parametrize("store", ["etcd", "resources"])
def test_nc14_nc30_the_original_agent_is_understood_byte_by_byte(
    api: ApiServer, tmp_path: Path, in_etcd: list[str], store: str
) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-abcde")
        for request in requests_of_the_original_agent():
            answer = await server.say(request)
            assert (answer.status, answer.body) == (200, b"")
        spec = (await server.get("/api/v1/agents/")).json["netchecker-agent-abcde"]
        assert (spec["uptime"], spec["ips"]["lo"]) == (7443, ["127.0.0.1/8", "::1/128"])
        assert (await server.check()).status == 200

    use(api, tmp_path, work, *(in_etcd if store == "etcd" else [RESOURCES]))


def test_nc11_nc12_the_latest_report_counts_also_after_the_node_restarted(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    async def work(server: RunningServer) -> None:
        for uptime in (7000, 12, 0):
            await server.report("netchecker-agent-a", uptime=uptime)
            assert (await server.get("/api/v1/agents/netchecker-agent-a")).json["uptime"] == uptime

    use(api, tmp_path, work, *in_etcd)


def test_nc15_nc22_what_cannot_be_known_is_500(api: ApiServer, tmp_path: Path) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-a")
        await server.report("netchecker-agent-a")
        assert (await server.check()).status == 200
        api.refuse("list", "pods")
        for path in ("/api/v1/connectivity_check", "/api/v1/agents/"):
            answer = await server.get(path)
            assert answer.status == 500
            assert answer.body.startswith(b"Error occurred while checking the agents. Details: 403 Forbidden")
        api.allow("list", "pods")
        api.refuse("list", "agents")
        assert (await server.check()).status == 200
        add_pods(api, "netchecker-agent-b")
        answer = await server.check()
        assert answer.status == 500
        assert b"the store does not answer" in answer.body

    use(api, tmp_path, work, RESOURCES)


def test_nc10_nc14_nc15_nc16_without_etcd_it_starts_and_serves_from_memory(api: ApiServer, tmp_path: Path) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-a", "netchecker-agent-b")
        answer = await server.report("netchecker-agent-a")
        assert answer.status == 200
        assert (await server.check()).status == 500
        await server.report("netchecker-agent-b")
        assert (await server.check()).json["Message"] == "All 2 pods successfully reported back to the server"

    use(api, tmp_path, work, f"-etcd-endpoints=http://127.0.0.1:{free_port()}", "-ping-timeout=0")


def test_nc14_etcd_that_was_away_has_all_reports_afterwards(api: ApiServer, tmp_path: Path) -> None:
    members = EtcdMembers(tmp_path)

    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-a", "netchecker-agent-b")
        await server.report("netchecker-agent-a")
        await until(lambda: kept("netchecker-agent-a"))
        members.kill()
        await server.report("netchecker-agent-b")
        assert (await server.check()).status == 200
        await asyncio.to_thread(members.start)
        await until(lambda: kept("netchecker-agent-b"))
        assert (await server.check()).status == 200

    async def kept(pod: str) -> bool:
        return "kvs" in await members.ask("kv/range", key=key(f"netchecker/agents/{pod}"))

    with members:
        use(api, tmp_path, work, f"-etcd-endpoints={members.endpoints[0]}")


def test_nc18_nc24_a_restart_loses_neither_records_nor_counts(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    for flags in (in_etcd, [RESOURCES]):

        async def before(server: RunningServer) -> None:
            add_pods(api, "netchecker-agent-a")
            await server.report("netchecker-agent-a")
            await server.report("netchecker-agent-a")

        async def after(server: RunningServer) -> None:
            assert (await server.check()).json["Message"] == "All 1 pods successfully reported back to the server"
            await server.report("netchecker-agent-a")
            assert (await server.series())['ncagent_report_count_total{agent="node1-private_network"}'] == 3

        use(api, tmp_path, before, *flags)
        use(api, tmp_path, after, *flags)


def test_nc18_nc25_series_and_resources_of_agents_that_are_gone_leave(api: ApiServer, tmp_path: Path) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-a")
        add_pods(api, "netchecker-agent-b", node="node2")
        await server.report("netchecker-agent-a")
        await server.report("netchecker-agent-b", nodename="node2")
        assert len([name for name in await server.series() if "report_count" in name]) == 2
        api.delete("pods", "netchecker-agent-b")
        assert [*(await server.get("/api/v1/agents/")).json] == ["netchecker-agent-a"]
        assert (await server.check()).json["Message"] == "All 1 pods successfully reported back to the server"

        async def gone() -> bool:
            named = [name for name in await server.series() if "report_count" in name]
            return len(named) == 1 and not await in_api(api, "netchecker-agent-b")

        await until(gone)

    use(api, tmp_path, work, RESOURCES)


def test_nc17_nc19_nc27_metrics_are_those_of_the_original_with_true_values(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    async def work(server: RunningServer) -> None:
        await report_as_recorded(server)
        page = await server.get("/metrics", "Accept-Encoding: gzip")
        assert page.headers["content-encoding"] == "gzip"
        text = gzip.decompress(page.body).decode()
        assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        _, body = recorded("GET /metrics (ncagent_ only)")
        untrue = ('"-private_network"', "http_probe_total_time_ms", "content_transfer_time_ms")
        for line in body.decode().splitlines():
            if not any(word in line for word in untrue):
                counted = line.rpartition(" ")[0] + " 1" if "report_count_total{" in line else line
                assert counted in text.splitlines()
        assert "9223372036854" not in text
        await server.check()
        await server.report("netchecker-agent-hvx7h", nodename="", network_probes=[{"URL": "http://x/", "Total": 7}])
        series = await server.series()
        assert series['ncagent_http_probe_total_time_ms{agent="node2-private_network",url="http://x/"}'] == 7
        assert "process_resident_memory_bytes" in (await server.get("/metrics")).body.decode()

    use(api, tmp_path, work, *in_etcd)


def test_nc27_a_missed_report_is_counted_once_an_outage(api: ApiServer, tmp_path: Path, in_etcd: list[str]) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-hostnet-a")
        await server.report("netchecker-agent-hostnet-a")
        series = 'ncagent_error_count_total{agent="node1-host_network"}'

        async def counted() -> bool:
            return (await server.series()).get(series, 0) == 1

        await until(counted)

    use(api, tmp_path, work, *in_etcd, "-report-ttl=2")


def test_nc10_a_name_that_no_store_takes_is_200_all_the_same(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    async def work(server: RunningServer) -> None:
        assert (await server.ask("POST", "/api/v1/agents/x", b'{"podname":"not a name"}')).status == 200
        assert (await server.get("/api/v1/agents/")).body == b"{}"

    use(api, tmp_path, work, *in_etcd)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "-etcd-endpoints is empty"),
        (["-etcd-endpoints=ftp://x"], "-etcd-endpoints: a URL is"),
        (["-endpoint=nowhere", "-etcd-endpoints=http://127.0.0.1:1", "-ping-timeout=0"], "nowhere"),
    ],
)
def test_nc37_what_cannot_be_used_is_one_sentence(
    api: ApiServer, tmp_path: Path, flags: list[str], sentence: str
) -> None:
    async def work(server: RunningServer) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(ConfigError, match=sentence):
        use(api, tmp_path, work, *flags)


def test_nc23_etcd_is_verified_by_the_ca_that_is_given_and_else_not_which_is_said(
    api: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members = EtcdMembers(tmp_path, tls=True)
    other = tmp_path / "other"
    other.mkdir()
    wrong = EtcdMembers(other, tls=True).ca_file

    async def works(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-a")
        await server.report("netchecker-agent-a")
        assert (await server.check()).status == 200

    async def refused(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-b")
        answer = await server.check()
        assert answer.status == 500 and b"certificate" in answer.body

    with members:
        flags = [f"-etcd-endpoints={members.endpoints[0]}", "-ping-timeout=0"]
        use(api, tmp_path, works, *flags, f"-etcd-ca={members.ca_file}")
        assert "etcd is not verified" not in caplog.text
        use(api, tmp_path, works, *flags)
        assert "etcd is not verified" in caplog.text
        use(api, tmp_path, refused, *flags, f"-etcd-ca={wrong}")


def test_b7_what_kubespray_asks_after_its_deployment_is_answered(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    """Its tests/testcases/040_check-network-adv.yml, with the arguments of its manifest and the right to list pods."""
    nodes = 3

    async def work(server: RunningServer) -> None:
        for number in range(nodes):
            for kind in ("agent", "agent-hostnet"):
                add_pods(api, f"netchecker-{kind}-{number}", node=f"node{number}")
                await server.report(f"netchecker-{kind}-{number}", nodename=f"node{number}")
        agents = await server.get("/api/v1/agents/")
        assert agents.body[:1] == b"{" and len(agents.json) >= 2 * nodes
        check = await server.check()
        assert check.status == 200 and check.body[:1] == b"{"
        assert not check.json["Absent"] and not check.json["Outdated"]

    for resource in ("nodes", "namespaces", "secrets", "agents", "customresourcedefinitions"):
        api.refuse("*", resource)
    for verb in ("watch", "create", "update", "delete"):
        api.refuse(verb, "pods")
    use(api, tmp_path, work, "-v=5", "-logtostderr", "-kubeproxyinit=false", *in_etcd)


def test_nc40_an_agent_of_a_node_with_an_address_for_each_of_many_services_is_kept(
    api: ApiServer, tmp_path: Path, in_etcd: list[str]
) -> None:
    async def work(server: RunningServer) -> None:
        add_pods(api, "netchecker-agent-hostnet-a")
        addresses = [f"10.233.{number // 256}.{number % 256}/32" for number in range(10_000)]
        answer = await server.report("netchecker-agent-hostnet-a", ips={"kube-ipvs0": addresses})
        assert answer.status == 200
        assert (await server.check()).status == 200
        found = (await server.get("/api/v1/agents/netchecker-agent-hostnet-a")).json
        assert found["ips"]["kube-ipvs0"] == addresses

    use(api, tmp_path, work, *in_etcd)

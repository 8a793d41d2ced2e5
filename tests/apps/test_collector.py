"""A collector with two agents that report to it, as processes: it judges, remembers, and goes on after `kill -9`."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
import schemathesis
from hypothesis import given, settings

from kubesonar.apps.client import check, history, map
from kubesonar.config import ConfigError
from tests.apps.agents import RunningAgent, RunningCollector, members, tree, until
from tests.ports import free_port

TOKEN = "reader"


class Cluster(NamedTuple):
    """Agents a and b, and what a collector of them is started with."""

    folder: Path
    port: int
    options: dict[str, Any]
    agents: dict[str, dict[str, Any]]

    def collector(self) -> RunningCollector:
        return RunningCollector(self.folder, self.port, **self.options)

    def agent(self, name: str) -> RunningAgent:
        return RunningAgent(self.folder, name, **self.agents[name])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "secret").write_text("shared\n")
    (folder / "token").write_text(f"{TOKEN}\n")
    port, a, b, c = free_port(), free_port(), free_port(), free_port()
    roster = members(folder, {"a": a, "b": b, "c": c})
    reports = {"to": [f"http://127.0.0.1:{port}"], "token_file": str(folder / "secret")}
    options = {
        "reports": {"auth": "secret", "secret_file": str(folder / "secret")},
        "agents": {"interval": 0.5},
        "store": {"kind": "sqlite", "directory": str(folder)},
        "api": {"token_file": str(folder / "token")},
    }
    agents = {
        name: tree(name, own, roster, reports=reports, membership={"enabled": False})
        for name, own in (("a", a), ("b", b), ("c", c))
    }
    return Cluster(folder, port, options, agents)


class Running(NamedTuple):
    """The collector, and the agent that a test stops."""

    collector: RunningCollector
    c: RunningAgent


@pytest.fixture(scope="module")
def running(cluster: Cluster) -> Iterator[Running]:
    with cluster.collector() as collector, cluster.agent("a"), cluster.agent("b"), cluster.agent("c") as c:
        until(lambda: (collector.document("/api/v1/verdict", TOKEN) or {}).get("verdict", {}).get("verdict") == "good")
        yield Running(collector, c)


@pytest.fixture
def collector(running: Running) -> RunningCollector:
    return running.collector


def test_reads_need_the_token_and_health_does_not(collector: RunningCollector) -> None:
    assert collector.get("/api/v1/verdict")[0] == 401
    assert collector.get("/metrics")[0] == 401
    assert collector.get("/healthz")[0] == 200
    assert collector.get("/readyz")[0] == 200


def test_browsers_are_led_to_the_page_which_asks_for_the_token(collector: RunningCollector) -> None:
    assert collector.get("/", {"Accept": "text/html"})[0] == 303
    status, form = collector.get("/now")
    assert status == 401 and b'name="token"' in form
    assert collector.get("/")[0] == 401
    kept = {"Cookie": f"kubesonar_token={TOKEN.encode().hex()}"}
    for view in ("now", "map", "timeline", "nodes", "nodes/a", "targets", "dns"):
        status, page = collector.get(f"/{view}", kept)
        assert status == 200 and b"<h1" in page, view
    assert collector.get("/api/v1/verdict", kept)[0] == 200
    assert collector.get("/metrics", {"Cookie": "kubesonar_token=00"})[0] == 401


def test_all_is_told_of_members_edges_and_who_reaches_whom(collector: RunningCollector) -> None:
    found = collector.document("/api/v1/members", TOKEN)["members"]
    assert [one["member"]["name"] for one in found] == ["a", "b", "c"]
    assert {one["unread"] for one in found} == {""}

    def marks() -> set[str]:
        (matrix,) = collector.document("/api/v1/matrix", TOKEN)["matrices"]
        return {cell["mark"] for cell in matrix["cells"]}

    until(lambda: marks() == {"well"})
    edges = collector.document("/api/v1/edges?source=a&target=b", TOKEN)["edges"]
    assert {"udp", "tcp"} <= {one["edge"]["latest"]["check"]["kind"] for one in edges}
    (udp, *_) = (e for e in collector.document("/api/v1/edges/a/b", TOKEN)["edges"] if e["trials"])
    assert udp["latest"]["source"] == "a"
    assert collector.document("/api/v1/states", TOKEN) == {"schema": 1, "excused": {}, "unread": {}}


def test_edges_are_told_page_by_page_each_once(collector: RunningCollector) -> None:
    keys: list[tuple[str, str, str]] = []
    after = ""
    while not keys or after:
        page = collector.document(f"/api/v1/edges?limit=1{after and f'&after={quote(after)}'}", TOKEN)
        latest = [(one["source"], one["edge"]["latest"]) for one in page["edges"]]
        keys += [(source, seen.get("side", ""), seen["check"]["id"]) for source, seen in latest]
        after = page["next"]
    assert {source for source, _, _ in keys} == {"a", "b", "c"}
    assert len(set(keys)) == len(keys)


def test_a_member_is_told_with_what_it_says_of_its_node(collector: RunningCollector) -> None:
    found = collector.document("/api/v1/members/a", TOKEN)
    assert (found["member"]["name"], found["unread"]) == ("a", "")
    assert "lo" in [one["name"] for one in found["said"]["facts"]["interfaces"]]
    assert found["said"]["roster"]["members"] == []
    status, _ = collector.get("/api/v1/members/nobody", {"Authorization": f"Bearer {TOKEN}"})
    assert status == 404


def test_the_last_day_is_told_by_the_minute(collector: RunningCollector) -> None:
    page = collector.document("/api/v1/history?part=node", TOKEN)
    assert page["step"] == 60
    assert {one["subject"] for one in page["series"]} == {"a", "b", "c"}
    first = collector.document("/api/v1/history?part=node&limit=1", TOKEN)
    assert [one["subject"] for one in first["series"]] == ["a"]
    rest = collector.document(f"/api/v1/history?part=node&after={first['next'].replace(' ', '%20')}", TOKEN)
    assert [one["subject"] for one in rest["series"]] == ["b", "c"]
    (one,) = collector.document("/api/v1/history?subject=b&since=1", TOKEN)["series"]
    assert any(loss is not None and 0 <= loss < 1 for loss in one["loss"])  # some was lost before b listened
    assert len(one["loss"]) == len(one["rtt"])


def test_pages_follow_each_other(collector: RunningCollector) -> None:
    names, after = [], ""
    while True:
        page = collector.document(f"/api/v1/members?limit=1{after and f'&after={after}'}", TOKEN)
        names += [one["member"]["name"] for one in page["members"]]
        after = page["next"]
        if not after:
            break
    assert names == ["a", "b", "c"]
    status, body = collector.get("/api/v1/members?after=nobody", {"Authorization": f"Bearer {TOKEN}"})
    assert (status, "begin again" in json.loads(body)["error"]) == (404, True)


def test_what_did_not_change_is_not_sent_again(collector: RunningCollector) -> None:
    status, _ = collector.get("/api/v1/states", {"Authorization": f"Bearer {TOKEN}", "If-None-Match": '"0"'})
    assert status == 200
    asked = Request(f"http://127.0.0.1:{collector.port}/api/v1/states", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(asked) as answer:
        tag = answer.headers["ETag"]
    status, body = collector.get("/api/v1/states", {"Authorization": f"Bearer {TOKEN}", "If-None-Match": tag})
    assert (status, body) == (304, b"")


def test_metrics_are_of_the_cluster(collector: RunningCollector) -> None:
    lines = collector.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})[1].decode().splitlines()
    assert "kubesonar_cluster_health 1.0" in lines
    assert "kubesonar_collector_agents 3" in lines


def test_every_operation_does_what_the_openapi_document_says(collector: RunningCollector) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{collector.port}/api/v1/openapi.json", headers=headers)
    tried = set()
    found: Iterator[Any] = schema.get_all_operations()
    for result in found:
        operation = result.ok()
        if operation.path == "/api/v1/events":
            continue  # it does not end

        @given(case=operation.as_strategy())
        @settings(max_examples=15)
        def keeps_its_word(case: Any) -> None:
            case.call_and_validate(headers=headers)

        keeps_its_word()
        tried.add(operation.path)
    assert len(tried) == 11


def test_changes_are_told_as_they_happen(collector: RunningCollector) -> None:
    asked = Request(f"http://127.0.0.1:{collector.port}/api/v1/events", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(asked, timeout=30) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert [answer.readline() for _ in range(3)] == [b"retry: 1000\n", b"\n", b"event: verdict\n"]


def test_peoples_commands_ask_it_in_place_of_agents(
    cluster: Cluster, collector: RunningCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--collector", f"http://127.0.0.1:{collector.port}", "--token-file", str(cluster.folder / "token")]
    assert check.main(asked) == 0
    assert "3 of 3 members read" in capsys.readouterr().out
    assert map.main([*asked, "--once", "--json"]) == 0
    (network,) = json.loads(capsys.readouterr().out)["networks"]
    assert len(network["cells"]) == 6
    assert history.main(asked) == 0
    with pytest.raises(ConfigError, match="asks for a token"):
        history.main(asked[:2])


def test_an_incident_outlives_the_collector_and_keeps_its_id(cluster: Cluster, running: Running) -> None:
    collector = running.collector

    def incidents(of: RunningCollector) -> list[dict[str, Any]]:
        page = of.document("/api/v1/incidents", TOKEN) or {}
        found: list[dict[str, Any]] = page.get("incidents", [])
        return found

    running.c.process.kill()
    (opened,) = until(lambda: [one for one in incidents(collector) if one["closed"] is None], 60)
    assert opened["finding"]["subject"] == "c"
    until(lambda: (collector.document("/api/v1/verdict", TOKEN) or {}).get("durable") == "")
    collector.process.send_signal(signal.SIGKILL)
    collector.process.wait(30)
    with cluster.collector() as successor:
        again = until(lambda: [one for one in incidents(successor) if one["closed"] is None])
        assert [one["id"] for one in again] == [opened["id"]]
        with cluster.agent("c"):
            (closed,) = until(lambda: [one for one in incidents(successor) if one["closed"] is not None], 60)
            assert closed["id"] == opened["id"]
            assert closed["changes"][0]["became"] == "opened"
            page = successor.document(f"/api/v1/notices?incident={closed['id']}&limit=1", TOKEN)
            rest = successor.document(f"/api/v1/notices?incident={closed['id']}&after={page['next']}", TOKEN)
            told = [one["notice"]["what"] for one in (*page["notices"], *rest["notices"])]
            # A busy machine starves agents, for which the incident may have been closed and have returned meanwhile.
            assert (told[0], told[-1], set(told[1:-1]) <= {"closed", "returned"}) == ("closed", "opened", True)
            assert successor.document("/api/v1/notices?what=dead", TOKEN)["notices"] == []

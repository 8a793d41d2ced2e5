"""`kubectl sonar`, from kubeconfig to verdict, against the API double in which the real chart is installed."""

from __future__ import annotations

import http.server
import json
import ssl
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from kubesonar.api.documents import IncidentPage, MatrixDocument, NoticePage, VerdictDocument
from kubesonar.apps import kubectl
from kubesonar.apps.client import check
from kubesonar.config import ConfigError
from kubesonar.core.encoding import encode_json
from kubesonar.model import Health, Verdict
from kubesonar.net.clock import SystemClock
from tests.apps.kubectl.installation import (
    AGENTS,
    COLLECTED,
    COLLECTOR,
    NAMESPACE,
    TOKEN,
    agents,
    collector,
    install,
    judging,
)
from tests.apps.listening import answer
from tests.core.mesh import Mesh
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.net.connect_proxy import ConnectProxy

GOOD = encode_json(
    VerdictDocument(1, Verdict(Health.GOOD, "all well", SystemClock().wall(), members=3, observers=3), "")
)


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as api:
        yield api


@pytest.fixture
def config(api: ApiServer, tmp_path: Path) -> list[str]:
    return ["--kubeconfig", api.kubeconfig(tmp_path / "config")]


def _answering(asked: list[bytes], document: bytes = GOOD) -> Any:
    def answered(request: bytes) -> bytes:
        asked.append(request)
        body = document
        if b"/incidents" in request:
            body = encode_json(IncidentPage(1, (), ""))
        elif b"/notices" in request:
            body = encode_json(NoticePage(1, (), ""))
        elif b"/matrix" in request:
            body = encode_json(MatrixDocument(1, SystemClock().wall(), ()))
        return answer(body)(request) or b""

    return answered


def test_agents_are_asked_where_there_is_no_collector(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agents(api, tmp_path, Mesh()):
        assert kubectl.main(["check", *config]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("the network is healthy: 5 nodes, 10 agents")
    assert rest[-1].startswith("10 of 10 members read at ")


def test_all_of_it_goes_through_the_proxy_that_the_kubeconfig_names(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agents(api, tmp_path, Mesh(nodes=2)), ConnectProxy(api.port) as proxy:
        away: dict[str, Any] = {"server": "https://k.invalid:6443", "tls_server_name": "127.0.0.1"}
        config = api.kubeconfig(tmp_path / "config", proxy_url=f"http://{proxy.address}", **away)
        assert kubectl.main(["check", "--kubeconfig", config]) == 0
    assert capsys.readouterr().out.startswith("the network is healthy: 2 nodes, 4 agents")
    assert {*proxy.asked} == {"CONNECT k.invalid:6443 HTTP/1.1"}
    assert len(proxy.asked) > 4  # a tunnel for each port-forward, and those of requests


def test_a_sick_network_is_exit_code_1_and_wide_explains_it(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agents(api, tmp_path, Mesh().cut("node-3")):
        assert kubectl.main(["check", "-o", "wide", *config]) == 1
    told = capsys.readouterr().out
    assert told.startswith("node-3 is cut off")
    assert "8 of 8 observers agree" in told
    assert "confirm" in told


def test_the_collector_is_asked_with_the_token_of_the_secret(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bytes] = []
    with collector(api, tmp_path, _answering(asked)):
        assert kubectl.main(["check", *config]) == 0
    assert capsys.readouterr().out.startswith("all well")
    assert f"authorization: bearer {TOKEN}" in asked[0].decode().lower()
    assert {request.name for request in api.asked("create", "pods/portforward")} == {COLLECTOR}


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(GOOD)))
        self.end_headers()
        self.wfile.write(GOOD)


def test_a_collector_with_a_certificate_is_spoken_to_by_tls(
    api: ApiServer, config: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    install(api, Mesh(), *COLLECTED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("collector.example").configure_cert(context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        api.switches.streams.listening[COLLECTOR, 7475] = ("127.0.0.1", server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            assert kubectl.main(["check", *config]) == 0
        finally:
            server.shutdown()
            thread.join()
    assert capsys.readouterr().out.startswith("all well")


def test_json_and_yaml_hold_the_same(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with collector(api, tmp_path, _answering([])):
        assert kubectl.main(["check", "-o", "json", *config]) == 0
        as_json = json.loads(capsys.readouterr().out)
        assert kubectl.main(["check", "-oyaml", *config]) == 0
        as_yaml = yaml.safe_load(capsys.readouterr().out)
    assert as_json == as_yaml
    assert as_json["sentence"] == "all well"


def test_history_and_map_ask_the_collector(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bytes] = []
    with collector(api, tmp_path, _answering(asked)):
        assert kubectl.main(["history", "--since", "30m", *config]) == 0
        assert kubectl.main(["map", "--once", *config]) == 0
    assert capsys.readouterr().out.startswith("no incident in the last 30m\n")
    assert asked[0].startswith(b"GET /api/v1/incidents?")


def test_history_and_page_without_a_collector_say_what_to_set(
    api: ApiServer, config: list[str], tmp_path: Path
) -> None:
    with agents(api, tmp_path, Mesh()):
        for command in ("history", "page"):
            with pytest.raises(ConfigError, match=r"collector\.enabled=true"):
                kubectl.main([command, *config])


def test_history_asks_the_collector_beside_the_coordinator(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bytes] = []
    coordinator = next(member.name for member in Mesh().members if member.network == "pod")
    with judging(api, tmp_path, _answering(asked), coordinator):
        assert kubectl.main(["history", *config]) == 0
    assert capsys.readouterr().out == "no incident in the last 24h\n"
    assert asked[0].startswith(b"GET /api/v1/incidents?")


def test_while_no_coordinator_is_known_history_says_so(api: ApiServer, config: list[str], tmp_path: Path) -> None:
    with judging(api, tmp_path, _answering([]), ""), pytest.raises(ConfigError, match="name no coordinator"):
        kubectl.main(["history", *config])


def test_a_cluster_without_an_installation_says_so(api: ApiServer, config: list[str]) -> None:
    with pytest.raises(ConfigError, match="no pod of kubesonar runs in this cluster"):
        kubectl.main(["check", *config])
    with pytest.raises(ConfigError, match="no pod of kubesonar runs in namespace prod"):
        kubectl.main(["check", "-n", "prod", *config])


def test_two_installations_need_a_choice(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(api, Mesh(), *AGENTS, release="other", namespace="lab")
    with agents(api, tmp_path, Mesh()):
        with pytest.raises(ConfigError, match="several installations fit, lab/other, mon/ks: choose one with -n"):
            kubectl.main(["check", *config])
        for chosen in (["-n", NAMESPACE], ["--release", "ks"]):
            assert kubectl.main(["check", *chosen, *config]) == 0
    assert "10 of 10 members read" in capsys.readouterr().out


def test_who_may_not_list_pods_everywhere_looks_in_the_namespace_of_the_context(
    api: ApiServer, config: list[str], tmp_path: Path
) -> None:
    api.refuse("list", "pods")
    with agents(api, tmp_path, Mesh()), pytest.raises(ConfigError, match="right to list pods in namespace default"):
        kubectl.main(["check", *config])
    assert [request.namespace for request in api.asked("list", "pods")] == ["", "default"]
    with pytest.raises(ConfigError, match="right to list pods in namespace prod"):
        kubectl.main(["check", "-n", "prod", *config])


def test_a_token_that_may_not_be_read_names_the_right(api: ApiServer, config: list[str], tmp_path: Path) -> None:
    api.refuse("get", "secrets")
    own = tmp_path / "token"
    own.write_text("mine")
    asked: list[bytes] = []
    with collector(api, tmp_path, _answering(asked)):
        with pytest.raises(ConfigError, match=r'right to get secrets "ks-kubesonar-keys" in namespace mon; or give it'):
            kubectl.main(["check", *config])
        assert kubectl.main(["check", "--token-file", str(own), *config]) == 0
    assert b"mine" in asked[0]


def test_port_forward_that_is_refused_names_the_right(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refuse("create", "pods/portforward")
    with collector(api, tmp_path, _answering([])):
        assert kubectl.main(["check", *config]) == 2
    printed = capsys.readouterr()
    assert printed.out.startswith("cannot tell: the collector")
    assert "a role must grant create and get on pods/portforward" in printed.err


def test_a_connection_that_is_lost_in_the_middle_is_no_verdict(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.switches.streams.cut = 20
    with collector(api, tmp_path, _answering([])):
        assert kubectl.main(["check", *config]) == 2
    assert "the connection was lost" in capsys.readouterr().err


def test_too_many_agents_are_for_a_collector(api: ApiServer, config: list[str]) -> None:
    install(api, Mesh(nodes=51), *AGENTS)
    with pytest.raises(ConfigError, match="has 102 agents and no collector, and at most 100"):
        kubectl.main(["check", *config])


def test_pods_that_do_not_run_are_not_asked(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agents(api, tmp_path, Mesh()):
        pod = api.get("pods", "node-5-host", NAMESPACE)
        api.put("pods", {**pod, "status": {"phase": "Pending"}})
        kubectl.main(["check", *config])
    assert "node-5-host" not in {request.name for request in api.asked("create", "pods/portforward")}


def test_support_holds_what_a_report_needs_and_no_secrets(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put("nodes", shapes.node("node-1"))
    api.switches.logs["node-1-pod"] = "elected coordinator\n"
    out = tmp_path / "a.tar.gz"
    receiver = "config.notify.receivers[0].name=a,config.notify.receivers[0].url=https://u:xyzzy@hooks.example/xyzzy"
    with agents(api, tmp_path, Mesh().cut("node-3"), *AGENTS, "--set", receiver):
        assert kubectl.main(["support", "--out", str(out), *config]) == 0
    assert "logs/ (10)" in capsys.readouterr().out
    with tarfile.open(out) as tar:
        files = {name: part.read().decode() for name in tar.getnames() if (part := tar.extractfile(name))}
    assert files["logs/node-1-pod.log"] == "elected coordinator\n"
    assert json.loads(files["kubernetes.json"])["gitVersion"] == "v1.36.0"
    assert json.loads(files["nodes.json"])[0]["conditions"]["Ready"] == "True"
    assert "https://***@hooks.example/(removed)" in files["configuration/ks-kubesonar-config/pod.yaml"]
    assert not any("xyzzy" in text or TOKEN in text for text in files.values())
    assert check.main(["--from", str(out)]) == 1
    assert capsys.readouterr().out.startswith("node-3 is cut off")


def test_support_leaves_out_what_may_not_be_read_and_says_so(
    api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb, resource in (("list", "nodes"), ("get", "pods/log"), ("list", "configmaps")):
        api.refuse(verb, resource)
    with collector(api, tmp_path, _answering([])):
        assert kubectl.main(["support", "--out", str(tmp_path / "a"), *config]) == 0
    said = capsys.readouterr().out
    assert "left out: nodes.json: 403 Forbidden: nodes is forbidden: User" in said
    assert "left out: configuration: 403" in said
    assert "left out: logs/ks-kubesonar-collector-5f7b9.log: 403" in said
    assert check.main(["--from", str(tmp_path / "a")]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "-o", "xml"], "--output: got"),
        (["check", "-n", "No Name"], "--namespace: got"),
        (["check", "-n"], "expected one argument"),
        (["paint"], "unknown command"),
        (["explain", "all", "-o", "json"], "explain answers in words"),
    ],
)
def test_wrong_usage_is_one_sentence(config: list[str], arguments: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        kubectl.main([*arguments, *config] if arguments[-1] != "-n" else arguments)


def test_a_kubeconfig_or_context_that_is_not_there_is_one_sentence(config: list[str]) -> None:
    with pytest.raises(ConfigError, match="kubeconfig /nowhere: there is no such file"):
        kubectl.main(["check", "--kubeconfig", "/nowhere"])
    with pytest.raises(ConfigError, match='has no context "other", only: test'):
        kubectl.main(["check", "--context", "other", *config])


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert kubectl.main(["--help"]) == 0
    assert "usage: kubectl sonar COMMAND" in capsys.readouterr().out
    assert kubectl.main(["check", "--help"]) == 0
    assert "--fail-on" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        kubectl.main([])


@pytest.mark.parametrize("before", [["-n", NAMESPACE], ["-A"], ["--context=test", "-o", "json"], ["--kubeconfig=FILE"]])
def test_flags_of_every_command_stand_before_it_too(
    before: list[str], api: ApiServer, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [word.replace("FILE", config[1]) for word in before]
    after = [] if "--kubeconfig=FILE" in before else config
    with collector(api, tmp_path, _answering([])):
        assert kubectl.main([*flags, "check", *after]) == 0
    assert "all well" in capsys.readouterr().out


def test_dns_goes_with_the_context_that_is_named(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(api.kubeconfig(tmp_path / "config"))
    tree = json.loads(path.read_text())
    tree["contexts"].append({"name": "second", "context": {**tree["contexts"][0]["context"], "namespace": "ops"}})
    path.write_text(json.dumps(tree))
    api.refuse("*", "services")
    with pytest.raises(
        ConfigError, match=r"^Services: no right; a Role .*; neither the Service nor a pod of DNS was found"
    ):
        kubectl.main(["dns", "check", "--kubeconfig", str(path), "--context", "second"])
    assert api.asked("get", "services") or api.asked("list", "services")
    with pytest.raises(ConfigError, match='has no context "third"'):
        kubectl.main(["dns", "check", "--kubeconfig", str(path), "--context", "third"])
    with pytest.raises(ConfigError, match="dns has no other format"):
        kubectl.main(["dns", "check", "-o", "yaml"])
    assert kubectl.main(["dns", "rbac", "--vantage", "1"]) == 0
    assert "kind: Role, name: kubesonar-dns" in capsys.readouterr().out

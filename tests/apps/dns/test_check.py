"""`kubesonar dns`: what is printed, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.apps.dns import main
from kubesonar.config import ConfigError
from kubesonar.core.dns.message import Rcode
from kubesonar.core.dns_check.questions import AskedServer, AskPlan, DnsNames, ServerRole, usual_asks
from kubesonar.doctor.packed_plan import pack_plan
from tests.doctor import dns_server
from tests.doctor.cluster import dns_cluster
from tests.doctor.dns_server import DOMAIN, DnsServerDouble, serving
from tests.ports import free_port

BAD_PLAN = pack_plan(AskPlan((AskedServer("a", ServerRole.POD, "dns.example"),), ()))


def test_a_healthy_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dns_cluster() as cluster:
        assert main(["check", "--kubeconfig", cluster.kubeconfig(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("DNS is healthy: kube-dns, coredns-1 and coredns-2 answered")
    assert "coredns-2  127.0.0.12  node-2" in said
    assert "asked from standpoint 1: kube-dns answers from here" in said


def test_a_sick_pod_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dns_cluster() as cluster:
        cluster.pods[0].udp = cluster.pods[0].tcp = dns_server.says(Rcode.REFUSED)
        assert main(["check", "--json", "--kubeconfig", cluster.kubeconfig(tmp_path)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["verdict"], said["vantage"]) == (1, "bad", 1)
    assert [(one["part"], one["subject"], one["fault"]) for one in said["findings"]] == [
        ("pod", "coredns-1", "refused")
    ]
    assert {one["server"]["name"] for one in said["results"]} == {"kube-dns", "coredns-1", "coredns-2"}


def test_an_api_server_that_refuses_everything_outside_is_an_error(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        for resource in ("services", "endpointslices", "configmaps", "pods"):
            cluster.api.refuse("*", resource)
        with pytest.raises(
            ConfigError, match=r"pod of DNS was found; `kubesonar dns rbac --vantage 1` prints all rules"
        ):
            main(["check", "--kubeconfig", cluster.kubeconfig(tmp_path)])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--service", "Kube_System/x"],
        ["--service", "a/b/c"],
        ["--port", "0"],
        ["--port", "65536"],
        ["--domain", "a..b"],
        ["--outside", "x" * 64],
        ["--upstream", "dns.example"],
        ["--vantage", "9"],
        ["--timeout", "nan"],
        ["--timeout", "0"],
        ["--name", "a..b"],
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(ConfigError, match=f"^{arguments[0]}: "):
        main(["check", *arguments])


@pytest.mark.parametrize("arguments", [["check"], ["repair"]])
def test_an_api_server_that_does_not_answer_is_told_once(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with dns_cluster() as cluster:
        path = cluster.kubeconfig(tmp_path)
        cluster.api.stop()
        try:
            said = "" if main([*arguments, "--kubeconfig", path]) == 2 else "another exit code"
        except ConfigError as error:
            said = str(error)
        finally:
            cluster.api.start()
    said += capsys.readouterr().out
    assert said.removeprefix("cannot tell: ").startswith("no answer of the API server: Connection refused")
    assert said.count("Connection refused") == 1


def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    with dns_cluster() as cluster, pytest.raises(ConfigError, match=r"^there is no Service dns/none: name it with"):
        main(["check", "--service", "dns/none", "--kubeconfig", cluster.kubeconfig(tmp_path)])


def test_a_token_that_is_not_known_is_told(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        path = cluster.kubeconfig(tmp_path)
        cluster.api.rotate_token("another")
        with pytest.raises(ConfigError, match=r"^the API server does not know who asks: 401"):
            main(["check", "--kubeconfig", path])


def test_without_credentials_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dns ask ADDRESS"):
        main(["check", "--kubeconfig", str(tmp_path / "none")])


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["ask", "--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(arguments) == 0
    except SystemExit as ended:
        assert ended.code == 0
    assert "usage: kubesonar dns" in capsys.readouterr().out


def test_verbs_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match="expected one of check, "):
        main(["cheque"])
    with pytest.raises(SystemExit):
        main([])


def test_a_server_that_is_named_is_asked_without_any_api_server(capsys: pytest.CaptureFixture[str]) -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    with serving([server]):
        address = f"127.0.0.1:{server.port}"
        assert main(["ask", address, "--domain", DOMAIN]) == 0
        server.udp = dns_server.silent
        assert main(["ask", address, "--domain", DOMAIN, "--timeout", "0.2"]) == 1
    assert f"the DNS server {address} does not answer by UDP, by TCP it does" in capsys.readouterr().out
    assert main(["ask", address, "--domain", DOMAIN]) == 1
    assert f"every DNS server refuses questions: nothing listens on {address}" in capsys.readouterr().out


def test_a_plan_is_carried_out_and_answered_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    asked = AskedServer("coredns-a", ServerRole.POD, server.address, server.port, server.port)
    plan = AskPlan((asked,), usual_asks(DnsNames(domain=DOMAIN)), 1.0)
    with serving([server]):
        assert main(["ask", "--json", "--plan", pack_plan(plan)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {one["outcome"] for one in said["results"]} == {"good"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dns.example"],
        ["127.0.0.1:0"],
        ["127.0.0.1:x"],
        ["--plan", "{}"],
        ["--plan", "nonsense"],
        ["--plan", BAD_PLAN],
    ],
)
def test_what_cannot_be_asked_is_refused(arguments: list[str]) -> None:
    with pytest.raises(ConfigError):
        main(["ask", *arguments])


def test_what_runs_in_a_helper_pod_loads_nothing_that_only_people_need() -> None:
    code = "import sys; from kubesonar.apps.dns import ask; print({'rich', 'typer', 'websockets'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"

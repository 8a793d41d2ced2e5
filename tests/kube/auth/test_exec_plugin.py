from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.exec_plugin import EnvVariable, ExecPlugin, ExecSpec
from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.kube.resource import pods
from kubesonar.kube.types import Pod
from kubesonar.net.http.url import parse_url
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run

V1 = "client.authentication.k8s.io/v1"
SERVER = parse_url("https://k.example:6443")


def _credential(version: str = V1, **status: Any) -> str:
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})


def _plugin(folder: Path, code: str, *, timeout: float = 10, **more: Any) -> ExecPlugin:
    """A plug-in of a few lines of shell, that notes each run in the file "runs"."""
    script = folder / "plug"
    script.write_text(f"#!/bin/sh\necho run >> {folder}/runs\n{code}\n")
    script.chmod(0o755)
    return ExecPlugin(ExecSpec(**{"command": "./plug", "api_version": V1, **more}), str(folder), SERVER, "", timeout)


def _runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


@pytest.mark.parametrize("version", [V1, f"{V1}beta1"])
def test_a_token_is_kept_while_it_lasts(tmp_path: Path, version: str) -> None:
    made = _credential(version, token="t", expirationTimestamp="2999-01-01T00:00:00Z")
    source = _plugin(tmp_path, f"echo '{made}'", api_version=version)

    async def scenario() -> None:
        for _ in range(3):
            assert (await source.identity()).token == "t"
        assert _runs(tmp_path) == 1
        await source.identity(again=True)
        assert _runs(tmp_path) == 2

    run(scenario())


def test_a_token_that_expired_is_made_anew(tmp_path: Path) -> None:
    made = _credential(token="t", expirationTimestamp="2001-01-01T00:00:00Z")
    source = _plugin(tmp_path, f"echo '{made}'")

    async def scenario() -> None:
        await source.identity()
        await source.identity()

    run(scenario())
    assert _runs(tmp_path) == 2


def test_who_asks_at_one_time_waits_for_one_run(tmp_path: Path) -> None:
    source = _plugin(tmp_path, f"sleep 0.1; echo '{_credential(token='t')}'")

    async def scenario() -> None:
        found = await asyncio.gather(*(source.identity(again=again) for again in (False, True, True)))
        assert [identity.token for identity in found] == ["t", "t", "t"]

    run(scenario())
    assert _runs(tmp_path) == 1


def test_it_is_told_what_it_needs(tmp_path: Path) -> None:
    code = f"""printf '%s' "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; printf '%s' "$1 $WHO" > {tmp_path}/said
    echo '{_credential(token="t")}'"""
    more: dict[str, Any] = {"args": ("first",), "env": (EnvVariable("WHO", "me"),), "provide_cluster_info": True}
    run(_plugin(tmp_path, code, **more).identity())
    info = json.loads((tmp_path / "info").read_text())
    assert (info["apiVersion"], info["kind"]) == (V1, "ExecCredential")
    assert info["spec"] == {"interactive": False, "cluster": {"server": "https://k.example:6443"}}
    assert (tmp_path / "said").read_text() == "first me"
    spec = ExecSpec(command="./plug", api_version=V1, provide_cluster_info=True)
    run(ExecPlugin(spec, str(tmp_path), SERVER, "k", proxy_url="http://p:3128").identity())
    cluster = json.loads((tmp_path / "info").read_text())["spec"]["cluster"]
    assert (cluster["tls-server-name"], cluster["proxy-url"]) == ("k", "http://p:3128")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("echo no", "printed no ExecCredential"),
        (r"""printf '{"apiVersion":"v1","status":{"token":"\377"}}'""", "printed no ExecCredential"),
        ("exit 3", "ended with exit code 3"),
        (f"echo '{_credential()}'", "gave neither a token nor a certificate"),
        (f"echo '{_credential(token='a b')}'", "the token is not a word"),
        (f"echo '{_credential('v1', token='t')}'", f"printed another apiVersion than {V1}"),
        ("yes", "printed more than 1 MiB"),
        ("kill -9 $$", "ended with exit code"),
    ],
)
def test_one_that_fails(tmp_path: Path, code: str, sentence: str) -> None:
    with pytest.raises(CredentialsError, match=sentence):
        run(_plugin(tmp_path, code).identity())


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    source = _plugin(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 100", timeout=0.2)
    with pytest.raises(CredentialsError, match=r"took more than 0\.2 s"):
        run(source.identity())
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline").exists()


def test_one_that_is_not_there(tmp_path: Path) -> None:
    spec = ExecSpec(command="no-such-plug", api_version=V1, install_hint="install it")
    with pytest.raises(CredentialsError, match="no-such-plug cannot be run: No such file or directory; install it"):
        run(ExecPlugin(spec, str(tmp_path), SERVER, "").identity())


def test_one_that_must_ask_a_person(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="interactiveMode Always"):
        _plugin(tmp_path, "", interactive_mode="Always")


@pytest.mark.parametrize("with_certificate", [False, True])
def test_the_server_knows_us_by_it(tmp_path: Path, with_certificate: bool) -> None:
    async def scenario() -> None:
        client = Client(from_kubeconfig(path))
        assert (await client.get(f"{pods('default')}/a", Pod)).metadata.name == "a"
        if not with_certificate:
            api.switches.tokens = {"token-2"}
            (tmp_path / "made").write_text(_credential(token="token-2"))
            assert (await client.get(f"{pods('default')}/a", Pod)).metadata.name == "a"
        client.close()

    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        certificate, key = (part.decode() for part in api.certificates.client())
        status = (
            {"clientCertificateData": certificate, "clientKeyData": key} if with_certificate else {"token": "token-1"}
        )
        (tmp_path / "made").write_text(_credential(**status))
        code = f"print(open('{tmp_path}/made').read())"
        spec = {"command": sys.executable, "args": ["-c", code], "apiVersion": V1, "interactiveMode": "Never"}
        path = api.kubeconfig(tmp_path / "config", user={"exec": spec})
        run(scenario())

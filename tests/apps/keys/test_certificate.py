"""The collector's certificate in a Secret, against the API double, and served to a client that trusts its CA."""

from __future__ import annotations

import asyncio
import base64
import ssl
from pathlib import Path

import pytest

from kubesonar.apps.keys import main
from kubesonar.config import ConfigError
from kubesonar.web import Listener, ListenOptions, Reply, Request, Server
from tests.kube.apiserver import ApiServer
from tests.ports import free_port

HOSTS = ("collector.mon.svc.cluster.local", "localhost")


def make(api: ApiServer, folder: Path, *more: str, hosts: tuple[str, ...] = HOSTS) -> int:
    flags = [flag for host in hosts for flag in ("--host", host)]
    config = str(api.kubeconfig(folder / "config"))
    return main(["certificate", "--secret", "tls", "--kubeconfig", config, *flags, *more])


def contents(api: ApiServer) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in api.get("secrets", "tls")["data"].items()}


def test_it_is_made_once_and_renewed_by_the_same_ca_when_asked_or_when_names_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer() as api:
        assert make(api, tmp_path) == 0
        assert capsys.readouterr().out == "Secret default/tls made\n"
        first = contents(api)
        assert set(first) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
        assert api.get("secrets", "tls")["type"] == "kubernetes.io/tls"
        assert make(api, tmp_path) == 0
        assert capsys.readouterr().out == "Secret default/tls is there and stays as it is\n"
        assert contents(api) == first
        assert make(api, tmp_path, "--renew") == 0
        assert "another certificate of the same CA" in capsys.readouterr().out
        second = contents(api)
        assert make(api, tmp_path, hosts=("other",)) == 0
        third = contents(api)
    for name in ("ca.crt", "ca.key"):
        assert first[name] == second[name] == third[name]
    for name in ("tls.crt", "tls.key"):
        assert len({first[name], second[name], third[name]}) == 3


@pytest.mark.parametrize("data", [{}, {"tls.crt": "eA=="}, {"ca.crt": "eA==", "ca.key": "eA=="}])
def test_a_secret_of_somebody_else_is_refused_and_stays(
    data: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer() as api:
        api.put("secrets", {"metadata": {"name": "tls", "namespace": "default"}, "data": data})
        before = api.get("secrets", "tls")
        assert make(api, tmp_path) == 1
        assert "has no CA of ours" in capsys.readouterr().err
        assert api.get("secrets", "tls") == before


def test_a_certificate_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    with ApiServer() as api:
        make(api, tmp_path)
        broken = api.get("secrets", "tls")
        broken["data"]["tls.crt"] = base64.b64encode(b"none").decode()
        api.put("secrets", broken)
        assert make(api, tmp_path) == 0
        assert b"BEGIN CERTIFICATE" in contents(api)["tls.crt"]


def test_what_is_refused_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ApiServer() as api:
        api.refuse("create", "secrets")
        assert make(api, tmp_path) == 1
        assert "403" in capsys.readouterr().err
        with pytest.raises(ConfigError, match="--namespace"):
            make(api, tmp_path, "--namespace", "No")


def test_clients_that_trust_the_ca_go_on_while_the_server_reads_a_renewed_certificate(tmp_path: Path) -> None:
    async def page(request: Request) -> Reply:
        return Reply(b"ok")

    def placed(api: ApiServer) -> bytes:
        found = contents(api)
        for name in ("tls.key", "tls.crt", "ca.crt"):
            (tmp_path / name).write_bytes(found[name])
        return ssl.PEM_cert_to_DER_cert(found["tls.crt"].decode())

    async def served(port: int) -> bytes:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOSTS[0])
        try:
            certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.close()
        return bytes(certificate)

    async def work(api: ApiServer) -> None:
        port = free_port()
        first = placed(api)
        files = {"certificate_file": str(tmp_path / "tls.crt"), "key_file": str(tmp_path / "tls.key")}
        server = Server([Listener(ListenOptions(address=f"127.0.0.1:{port}", **files), page)])
        await server.start()
        try:
            assert await served(port) == first
            assert await asyncio.to_thread(make, api, tmp_path, "--renew") == 0
            second = placed(api)
            async with asyncio.timeout(30):
                while await served(port) != second:  # noqa: ASYNC110  # the server looks at its files now and then
                    await asyncio.sleep(0.2)
        finally:
            await server.stop(0.0)

    with ApiServer() as api:
        make(api, tmp_path)
        asyncio.run(work(api))

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Access, Credentials
from kubesonar.kube.auth.loading_rules import find_credentials, in_cluster
from tests.kube.apiserver import ApiServer
from tests.kube.running import client_of, run
from tests.kube.serving import Certificates
from tests.kube.shapes import Version

ENVIRON = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
AUTHORITY = Certificates().authority


def _mounted(folder: Path, token: bytes = b"token-1\n", authority: bytes = AUTHORITY) -> str:
    (folder / "token").write_bytes(token)
    (folder / "ca.crt").write_bytes(authority)
    return str(folder)


def _access(credentials: Credentials, again: bool = False) -> Access:
    return asyncio.run(credentials.access(again))


@pytest.mark.parametrize(
    ("host", "authority"),
    [("10.96.0.1", "10.96.0.1:443"), ("fd00::1", "[fd00::1]:443"), ("api.example", "api.example:443")],
)
def test_in_cluster(tmp_path: Path, host: str, authority: str) -> None:
    (tmp_path / "namespace").write_text("net\n")
    credentials = in_cluster(ENVIRON | {"KUBERNETES_SERVICE_HOST": host}, _mounted(tmp_path))
    assert (credentials.server.scheme, credentials.server.host) == ("https", host)
    assert (credentials.server.authority, credentials.server_name) == (authority, host)
    assert credentials.namespace == "net"
    assert credentials.verified
    access = _access(credentials)
    assert access.token == "token-1"
    assert access.context is not None
    assert access.context.check_hostname


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, "not in a cluster: KUBERNETES_SERVICE_HOST is not set"),
        (ENVIRON | {"KUBERNETES_SERVICE_PORT": "x"}, 'got "10.96.0.1" and "x", expected a host and a port'),
        (ENVIRON | {"KUBERNETES_SERVICE_HOST": "a b"}, 'got "a b" and "443"'),
        (ENVIRON | {"KUBERNETES_SERVICE_PORT": "99999"}, 'got "10.96.0.1" and "99999"'),
    ],
)
def test_an_environment_that_is_no_clusters(tmp_path: Path, environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(CredentialsError, match=sentence):
        in_cluster(environ, _mounted(tmp_path))


def test_no_token_is_mounted(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"/token cannot be read: No such file"):
        in_cluster(ENVIRON, str(tmp_path))


@pytest.mark.parametrize("token", [b"", b" \n", b"a b", b"a\r\nX: y", b"\xff\xfe", b"x" * 40_000])
def test_a_token_that_cannot_stand_in_a_header(tmp_path: Path, token: bytes) -> None:
    with pytest.raises(CredentialsError, match="the token is") as caught:
        in_cluster(ENVIRON, _mounted(tmp_path, token))
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "authority", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_file_that_is_none(tmp_path: Path, authority: bytes) -> None:
    with pytest.raises(CredentialsError, match="the API server's CA certificates cannot be used"):
        in_cluster(ENVIRON, _mounted(tmp_path, authority=authority))


def test_a_comment_in_another_script_spoils_no_ca_file(tmp_path: Path) -> None:
    in_cluster(ENVIRON, _mounted(tmp_path, authority="# für alle\n".encode() + AUTHORITY))


def test_the_kubelet_swaps_the_token_by_a_link(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        _mounted(tmp_path / name, name.encode())
    data = tmp_path / "..data"
    data.symlink_to("old")
    credentials = in_cluster(ENVIRON, str(data))
    assert _access(credentials).token == "old"
    (tmp_path / "..data_tmp").symlink_to("new")
    (tmp_path / "..data_tmp").replace(data)
    assert _access(credentials).token == "new"


def test_a_token_written_over_in_place_is_found_when_it_was_refused(tmp_path: Path) -> None:
    credentials = in_cluster(ENVIRON, _mounted(tmp_path))
    assert _access(credentials).token == "token-1"
    path = tmp_path / "token"
    before = path.stat()
    path.write_text("token-2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _access(credentials).token == "token-1"
    assert _access(credentials, again=True).token == "token-2"


def test_files_that_vanish_leave_what_was_read_last(tmp_path: Path) -> None:
    credentials = in_cluster(ENVIRON, _mounted(tmp_path))
    before = _access(credentials)
    for name in ("token", "ca.crt"):
        (tmp_path / name).unlink()
    assert _access(credentials) == before


def test_the_context_is_shared_until_the_ca_changes(tmp_path: Path) -> None:
    credentials = in_cluster(ENVIRON, _mounted(tmp_path))
    first = _access(credentials)
    assert _access(credentials).context is first.context
    _mounted(tmp_path, authority=Certificates().authority)
    second = _access(credentials)
    assert second.context is not first.context
    _mounted(tmp_path, authority=b"broken")
    assert _access(credentials).context is second.context


def test_a_ca_that_rotates_is_followed(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = client_of(api, tmp_path)
        await client.get("/version", Version)
        api.rotate_authority()
        await client.get("/version", Version)
        client.close()

    with ApiServer() as api:
        run(scenario())
        assert api.handshakes == 2


def test_what_is_found_first(tmp_path: Path) -> None:
    with ApiServer() as api:
        given = api.kubeconfig(tmp_path / "given")
        named = api.kubeconfig(tmp_path / "named", server="https://named.example:1")
        (tmp_path / ".kube").mkdir()
        api.kubeconfig(tmp_path / ".kube" / "config", server="https://home.example:1")
    environ = {"HOME": str(tmp_path), "KUBECONFIG": named}
    assert find_credentials(environ, given).server.port == api.port
    assert find_credentials(environ).server.host == "named.example"
    assert find_credentials({"HOME": str(tmp_path)}).server.host == "home.example"
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: find_credentials({}), "neither KUBECONFIG nor HOME is set"),
        (lambda: find_credentials(ENVIRON), "serviceaccount/token cannot be read"),
        (lambda: find_credentials({"HOME": "/nowhere"}), "kubeconfig /nowhere/.kube/config: .*No such file"),
    ]
    for look, sentence in refusals:
        with pytest.raises(CredentialsError, match=sentence):
            look()

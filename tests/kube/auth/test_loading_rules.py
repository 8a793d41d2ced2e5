"""Which credentials are found where."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials, in_cluster, personal_credentials
from tests.kube.apiserver import ApiServer
from tests.kube.auth.mounted import ENVIRON, mounted


@pytest.mark.parametrize(
    ("host", "authority"),
    [("10.96.0.1", "10.96.0.1:443"), ("fd00::1", "[fd00::1]:443"), ("api.example", "api.example:443")],
)
def test_in_cluster(tmp_path: Path, host: str, authority: str) -> None:
    (tmp_path / "namespace").write_text("net\n")
    credentials = in_cluster(ENVIRON | {"KUBERNETES_SERVICE_HOST": host}, mounted(tmp_path))
    assert (credentials.server.scheme, credentials.server.host) == ("https", host)
    assert (credentials.server.authority, credentials.server_name) == (authority, host)
    assert credentials.namespace == "net"
    assert credentials.verified
    access = asyncio.run(credentials.access())
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
        in_cluster(environ, mounted(tmp_path))


def test_no_token_is_mounted(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"/token cannot be read: No such file"):
        in_cluster(ENVIRON, str(tmp_path))


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
    in_pod = {**ENVIRON, **environ}
    assert personal_credentials(in_pod, given).server.port == api.port
    assert personal_credentials(in_pod).server.host == "named.example"
    assert personal_credentials({**ENVIRON, "HOME": str(tmp_path)}, context="test").server.host == "home.example"
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: find_credentials({}), "neither KUBECONFIG nor HOME is set"),
        (lambda: find_credentials(ENVIRON), "serviceaccount/token cannot be read"),
        (lambda: personal_credentials({}), "neither KUBECONFIG nor HOME is set"),
        (lambda: personal_credentials({**ENVIRON, "HOME": "/nowhere"}), "serviceaccount/token cannot be read"),
        (lambda: personal_credentials({"HOME": "/nowhere"}), "kubeconfig /nowhere/.kube/config: there is no such file"),
        (lambda: personal_credentials(environ, given, "other"), 'has no context "other", only: test'),
        (lambda: find_credentials({"HOME": "/nowhere"}), "kubeconfig /nowhere/.kube/config: there is no such file"),
    ]
    for look, sentence in refusals:
        with pytest.raises(CredentialsError, match=sentence):
            look()

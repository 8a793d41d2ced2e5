from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import pods
from kubesonar.kube.types import Pod
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.kube.serving import Certificates
from tests.net.connect_proxy import ConnectProxy
from tests.net.socks_proxy import microsocks

CERTIFICATES = Certificates()
LOGIN = "Basic dXNlcjpwQHNz"
"""user:p@ss (RFC 7617)."""
CA = base64.b64encode(CERTIFICATES.authority).decode()


def _ask(credentials: Credentials) -> Pod:
    async def scenario() -> Pod:
        client = Client(credentials)
        try:
            return await client.get(f"{pods('default')}/a", Pod)
        finally:
            client.close()

    return run(scenario())


def _written(folder: Path, **changes: Any) -> str:
    """A good kubeconfig but for these entries."""
    tree: dict[str, Any] = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://k.example:6443", "certificate-authority-data": CA}}],
        "users": [{"name": "u", "user": {"token": "secret-word"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(tree | changes))
    return str(path)


def _cluster(**changes: Any) -> list[dict[str, Any]]:
    cluster = {"server": "https://k.example:6443", "certificate-authority-data": CA, **changes}
    return [{"name": "k", "cluster": {key: value for key, value in cluster.items() if value is not None}}]


def _user(**user: Any) -> list[dict[str, Any]]:
    return [{"name": "u", "user": user}]


def test_a_token_and_a_ca_file_beside_the_kubeconfig(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        assert _ask(from_kubeconfig(api.kubeconfig(tmp_path / "config"))).metadata.name == "a"


def test_a_token_file_that_rotates(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        api.in_cluster(tmp_path)
        path = api.kubeconfig(tmp_path / "config", user={"tokenFile": "token", "token": "ignored"})
        credentials = from_kubeconfig(path)
        _ask(credentials)
        api.rotate_token("token-2")
        _ask(credentials)
        assert [one.token for one in api.asked("get")] == ["token-1", "token-2"]


@pytest.mark.parametrize("as_data", [False, True])
def test_a_client_certificate(tmp_path: Path, as_data: bool) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        certificate, key = api.certificates.client()
        if as_data:
            pair = {"client-certificate-data": certificate, "client-key-data": key}
            user = {name: base64.b64encode(data).decode() for name, data in pair.items()}
        else:
            (tmp_path / "me.crt").write_bytes(certificate)
            (tmp_path / "me.key").write_bytes(key)
            user = {"client-certificate": "me.crt", "client-key": str(tmp_path / "me.key")}
        assert _ask(from_kubeconfig(api.kubeconfig(tmp_path / "config", user=user))).metadata.name == "a"
        assert api.asked("get")[0].token == ""


def test_nobody_in_particular_is_refused_by_the_server(tmp_path: Path) -> None:
    with ApiServer() as api:
        credentials = from_kubeconfig(api.kubeconfig(tmp_path / "config", user={}))
        with pytest.raises(ApiError, match=r"403 Forbidden: .*system:anonymous"):
            _ask(credentials)


def test_another_server_name(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        good = api.kubeconfig(tmp_path / "good", tls_server_name="kubernetes.default.svc")
        assert _ask(from_kubeconfig(good)).metadata.name == "a"
        bad = api.kubeconfig(tmp_path / "bad", tls_server_name="other.example")
        with pytest.raises(ApiError, match="the certificate is for another name"):
            _ask(from_kubeconfig(bad))


def test_only_the_file_can_switch_verification_off(tmp_path: Path) -> None:
    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        api.expire_certificate()
        certificate, key = api.certificates.client()
        pair = {"client-certificate-data": certificate, "client-key-data": key}
        user = {name: base64.b64encode(data).decode() for name, data in pair.items()}
        cluster = {"certificate_authority": None, "insecure_skip_tls_verify": True}
        path = api.kubeconfig(tmp_path / "config", user=user, **cluster)
        assert _ask(from_kubeconfig(path)).metadata.name == "a"


def test_contexts_are_chosen_by_name(tmp_path: Path) -> None:
    contexts = [
        {"name": "c", "context": {"cluster": "k", "user": "u"}},
        {"name": "d", "context": {"cluster": "l", "user": "u", "namespace": "net"}},
    ]
    other = {"name": "l", "cluster": {"server": "https://l.example/k8s/clusters/x"}}
    path = _written(tmp_path, contexts=contexts, clusters=[*_cluster(), other])
    assert (from_kubeconfig(path).server.host, from_kubeconfig(path).namespace) == ("k.example", "default")
    chosen = from_kubeconfig(
        _written(tmp_path, contexts=contexts, clusters=[*_cluster(), other], **{"current-context": "d"})
    )
    assert (chosen.server.host, chosen.server.target, chosen.namespace) == ("l.example", "/k8s/clusters/x", "net")


def test_several_files_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    first = _written(tmp_path / "a", clusters=[], users=_user(tokenFile="token"))
    second = _written(tmp_path / "b", users=_user(tokenFile="token"), **{"current-context": "other"})
    credentials = from_kubeconfig(f"{first}:{tmp_path / 'missing'}:{second}")
    assert credentials.server.host == "k.example"
    assert run(credentials.access()).token == "a"


@pytest.mark.parametrize(
    ("proxy_url", "environ", "used"),
    [
        (None, {}, None),
        (None, {"HTTPS_PROXY": "http://p:3128"}, "p"),
        (None, {"https_proxy": "p:3128"}, "p"),
        (None, {"HTTP_PROXY": "http://p:3128"}, None),
        (None, {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*.example,10.0.0.0/8"}, None),
        (None, {"HTTPS_PROXY": "https://p:1080", "NO_PROXY": "k.example"}, None),
        (None, {"HTTPS_PROXY": "socks5://p:1080"}, "p"),
        ("socks5h://own", {}, "own"),
        ("http://own:8080", {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "k.example"}, "own"),
    ],
)
def test_the_proxy_is_that_of_the_cluster_else_of_the_environment(
    proxy_url: str | None, environ: dict[str, str], used: str | None, tmp_path: Path
) -> None:
    path = _written(tmp_path, clusters=_cluster(**{"proxy-url": proxy_url}))
    proxy = from_kubeconfig(path, environ=environ).proxy
    assert (None if proxy is None else proxy.url.host) == used


def test_a_server_on_this_machine_is_asked_straight(tmp_path: Path) -> None:
    path = _written(tmp_path, clusters=_cluster(server="https://127.0.0.1:6443"))
    assert from_kubeconfig(path, environ={"HTTPS_PROXY": "http://p:3128"}).proxy is None


@pytest.mark.parametrize("text", ["socks4://p:1080", "https://p:3128", "http://p:99999"])
def test_a_proxy_of_the_environment_that_cannot_be_used_is_not_passed_over(text: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="HTTPS_PROXY cannot be used: expected http://HOST:PORT or socks5://"):
        from_kubeconfig(_written(tmp_path), environ={"HTTPS_PROXY": text})


def test_requests_go_through_the_proxy_which_knows_the_way(tmp_path: Path) -> None:
    with ApiServer() as api, ConnectProxy(api.port, LOGIN) as proxy:
        api.put("pods", shapes.pod("a"))
        away: dict[str, Any] = {"server": "https://k.invalid:6443", "tls_server_name": "127.0.0.1"}
        for url in (f"http://user:p%40ss@{proxy.address}", f"http://{proxy.address}"):
            credentials = from_kubeconfig(api.kubeconfig(tmp_path / "config", proxy_url=url, **away))
            if "@" in url:
                assert _ask(credentials).metadata.name == "a"
            else:
                with pytest.raises(ApiError, match="the proxy refuses with status 407"):
                    _ask(credentials)
        assert set(proxy.asked) == {"CONNECT k.invalid:6443 HTTP/1.1"}
        environ = {"HTTPS_PROXY": f"http://user:p%40ss@{proxy.address}"}
        assert _ask(from_kubeconfig(api.kubeconfig(tmp_path / "config", **away), environ=environ)).metadata.name == "a"


@pytest.mark.parametrize("login", [(), ("user", "p@ss")], ids=["open", "login"])
def test_requests_go_through_a_socks_proxy(tmp_path: Path, login: tuple[str, ...]) -> None:
    with ApiServer() as api, microsocks(*login) as proxy:
        api.put("pods", shapes.pod("a"))
        for user in ("", "user:p%40ss@", "user:wrong@"):
            credentials = from_kubeconfig(api.kubeconfig(tmp_path / "config", proxy_url=f"socks5://{user}{proxy}"))
            if not login or "%40" in user:
                assert _ask(credentials).metadata.name == "a"
            else:
                with pytest.raises(ApiError, match=r"the SOCKS proxy: it (wants|refuses) (a|the) user's name"):
                    _ask(credentials)


SECRET = "hunter2-never-to-be-shown"
HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"current-context": ""}, "no context is current"),
    ({"current-context": "x"}, 'has no context "x", only: c'),
    ({"contexts": [{"name": "c", "context": {"cluster": "k", "namespace": "../x"}}]}, 'namespace "../x" is no name'),
    ({"clusters": []}, 'has no cluster "k", only: none'),
    ({"clusters": None}, 'has no cluster "k"'),
    ({"users": []}, 'has no user "u"'),
    ({"clusters": 5}, r"cannot be used: Expected .*clusters"),
    ({"clusters": _cluster(server=5)}, r"cannot be used: .*\$\.clusters\[0\]\.cluster\.server"),
    ({"clusters": _cluster(server="")}, 'cluster "k": server is "", expected https://HOST:PORT'),
    ({"clusters": _cluster(server="https://a@b/")}, r'server is "https://\*\*\*@b/"'),
    ({"clusters": _cluster(server="https://a/?x=y")}, "expected https://HOST:PORT"),
    ({"clusters": _cluster(server="ftp://a")}, "expected https://HOST:PORT"),
    ({"clusters": _cluster(server="http://k.example")}, 'user "u": a token is shown over verified TLS only'),
    (
        {"clusters": _cluster(**{"proxy-url": "socks4://u:secret@p:1080"})},
        r'cluster "k": proxy-url is "socks4://\*\*\*@p:1080", expected http://HOST:PORT or socks5://HOST:PORT, because '
        "proxies that are asked by TLS are not supported",
    ),
    ({"clusters": _cluster(**{"proxy-url": "https://p:1"})}, 'proxy-url is "https://p:1", expected http://HOST:PORT'),
    ({"clusters": _cluster(**{"proxy-url": "p:3128"})}, 'proxy-url is "p:3128", expected http://HOST:PORT'),
    ({"clusters": _cluster(**{"certificate-authority-data": "%%"})}, "certificate-authority-data is not base64"),
    ({"clusters": _cluster(**{"certificate-authority-data": "AAAA"})}, "CA certificates cannot be used"),
    ({"clusters": _cluster(**{"insecure-skip-tls-verify": True})}, "exclude one another"),
    (
        {"clusters": _cluster(**{"insecure-skip-tls-verify": True, "certificate-authority-data": None})},
        "a token is shown over verified TLS only",
    ),
    ({"clusters": _cluster(**{"insecure-skip-tls-verify": "yes"})}, "Expected `bool`"),
    ({"users": _user(token="a b " + SECRET)}, "the token is not a word"),
    ({"users": _user(token=12345)}, "Expected `str`, got `int`"),
    ({"users": _user(tokenFile="nowhere")}, "nowhere cannot be read: No such file"),
    ({"users": _user(username="me", password=SECRET)}, 'user "u": username is not supported'),
    ({"users": _user(**{"as": "root", "token": SECRET})}, "impersonation"),
    ({"users": _user(**{"auth-provider": {"name": "gcp"}})}, "auth-provider is not supported"),
    ({"users": _user(**{"client-certificate-data": CA})}, "both or not at all"),
    ({"users": _user(exec={"command": "x", "apiVersion": "v0"})}, 'exec: apiVersion is "v0"'),
    ({"users": _user(exec={"apiVersion": "client.authentication.k8s.io/v1"})}, "missing required field `command`"),
]


@pytest.mark.parametrize(("changes", "sentence"), HOSTILE)
def test_what_cannot_be_used_is_said_in_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CredentialsError, match=sentence) as caught:
        from_kubeconfig(_written(tmp_path, **changes))
    text = str(caught.value)
    assert text.startswith(f"kubeconfig {tmp_path}/config: ")
    assert "\n" not in text
    assert len(text) < 400
    assert SECRET not in text


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ((b"no", b"no"), "the client certificate and its key cannot be used"),
        ((CERTIFICATES.client()[0], CERTIFICATES.client()[1]), "the client certificate and its key cannot be used"),
    ],
)
def test_a_client_certificate_that_cannot_be_used(tmp_path: Path, pair: tuple[bytes, bytes], sentence: str) -> None:
    names = ("client-certificate-data", "client-key-data")
    user = {name: base64.b64encode(data).decode() for name, data in zip(names, pair, strict=True)}
    with pytest.raises(CredentialsError, match=sentence):
        from_kubeconfig(_written(tmp_path, users=_user(**user)))


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x", "[" * 100, "\t:", "a: 1\na: 2", "x" * (1 << 21), "- 1", "7"])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(CredentialsError) as caught:
        from_kubeconfig(str(path))
    assert "\n" not in str(caught.value)


def test_json_is_yaml(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(json.dumps(yaml.safe_load(Path(_written(tmp_path)).read_text())))
    assert from_kubeconfig(str(path)).server.host == "k.example"


@given(data=st.binary(max_size=100), at=st.integers(0, 400), length=st.integers(0, 40))
def test_a_file_with_a_hole(tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, length: int) -> None:
    folder = tmp_path_factory.mktemp("hole")
    text = Path(_written(folder)).read_bytes()
    path = folder / "holed"
    path.write_bytes(text[:at] + data + text[at + length :])
    try:
        from_kubeconfig(str(path))
    except CredentialsError as error:
        assert "\n" not in str(error)

"""Tokens against keys that an API server publishes: the claims are those of a real one
(shared/reference/samples/kubernetes/tokens.txt)."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jws, jwt

from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.net.clock import SystemClock
from kubesonar.reports.auth.reporter import AuthorityAway, Reporter, ReporterRefused
from kubesonar.reports.auth.service_account import ISSUER_PATH, KEYS_PATH, PublishedKeys
from kubesonar.reports.auth.verified import VerifiedTokens
from kubesonar.web import Request
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.web.support import run

ISSUER = "https://kubernetes.default.svc.cluster.local"
CLOCK = SystemClock()


def made() -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, auto_kid=True)


KEY, OTHER = made(), made()


def claims(**changed: object) -> dict[str, Any]:
    now = int(time.time())
    bound = {
        "namespace": "kubesonar",
        "node": {"name": "node2", "uid": "943e37da-2528-46b7-9976-6e709db7c285"},
        "pod": {"name": "kubesonar-742zr", "uid": "ede1ce0c-e361-4c2c-b91a-1e42fb447305"},
        "serviceaccount": {"name": "kubesonar", "uid": "e99a7c84-27fa-4b5b-b738-ccbe90163dc1"},
    }
    usual = {
        "aud": ["kubesonar"],
        "exp": now + 600,
        "iat": now,
        "iss": ISSUER,
        "kubernetes.io": bound,
        "nbf": now,
        "sub": "system:serviceaccount:kubesonar:kubesonar",
    }
    return usual | changed


def token(key: jwk.RSAKey = KEY, bound: dict[str, Any] | None = None, **changed: object) -> str:
    more = {} if bound is None else {"kubernetes.io": bound}
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims(**more, **changed), key)


def confused() -> str:
    """A token that takes the public key for a shared secret."""
    parts = ({"alg": "HS256", "kid": KEY.kid}, claims())
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    mac = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def headed(head: object) -> str:
    """A token with that head, claims of a true one, and no signature that fits."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return f"{base64.urlsafe_b64encode(text).decode().rstrip('=')}.{token().split('.', 1)[1]}"


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        publish(server, KEY)
        yield server


def publish(api: ApiServer, *keys: jwk.RSAKey) -> None:
    shown = {"keys": [{**key.as_dict(private=False), "use": "sig", "alg": "RS256"} for key in keys]}
    api.switches.documents[KEYS_PATH] = lambda _: shown
    api.switches.documents[ISSUER_PATH] = lambda _: {"issuer": ISSUER}


def with_keys(api: ApiServer, tmp_path: Path, account: str, ask: Callable[[VerifiedTokens], Any]) -> Any:
    """Runs `ask` with an authenticator on a loop."""

    async def work() -> Any:
        client = Client(from_kubeconfig(api.kubeconfig(tmp_path / "config")))
        try:
            return await ask(VerifiedTokens(PublishedKeys(client, "kubesonar", CLOCK).verify, client, account, CLOCK))
        finally:
            client.close()

    return run(work)


def shown(text: str) -> Request:
    return Request(headers=[(b"authorization", f"Bearer {text}".encode())])


def test_a_token_says_pod_and_node_and_is_verified_once(api: ApiServer, tmp_path: Path) -> None:
    async def twice(tokens: VerifiedTokens) -> tuple[Reporter, Reporter]:
        request = shown(token())
        return await tokens.reporter(request), await tokens.reporter(request)

    assert with_keys(api, tmp_path, "kubesonar/kubesonar", twice) == (Reporter("node2", "kubesonar-742zr"),) * 2
    assert len([asked for asked, _ in api.log if asked.path == KEYS_PATH]) == 1


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: "", "needed"),
        (lambda: "a.b.c", "needed"),
        (lambda: "a" * 20 + ".b.c", "head cannot be read"),
        (lambda: token(aud=["other"]), "another audience"),
        (lambda: token(iss="https://elsewhere"), "issued by https://elsewhere"),
        (lambda: token(exp=int(time.time()) - 60), "expired"),
        (lambda: token(nbf=int(time.time()) + 600), "not good yet"),
        (lambda: token(OTHER), "key that the cluster does not publish"),
        (lambda: token(bound={}), "not bound to a pod"),
        (lambda: token(exp=None), "not bound|signature"),
        (lambda: token()[:-10] + "AAAAAAAAAA", "signature does not fit"),
        (lambda: jws.serialize_compact({"alg": "RS256", "kid": KEY.kid}, b"[" * 5000, KEY), "signature does not fit"),
        (lambda: confused(), "not signed as API servers sign"),
        (lambda: headed({"alg": "RS256", "kid": KEY.kid, "crit": 1}), "head cannot be read"),
        (lambda: headed({"alg": "RS256", "kid": KEY.kid, "crit": [1]}), "head cannot be read"),
        (lambda: headed({"alg": "RS256", "kid": KEY.kid, "crit": ["exp"]}), "not signed as API servers sign"),
        (lambda: headed({"alg": "RS256", "kid": KEY.kid, "b64": False, "jwk": 5, "x5c": 5}), "signature does not fit"),
        (lambda: headed({"alg": ["RS256"], "kid": KEY.kid}), "head cannot be read"),
        (lambda: headed({"alg": "none", "kid": KEY.kid}), "not signed as API servers sign"),
        (lambda: headed({"alg": "RS256", "kid": [KEY.kid]}), "head cannot be read"),
        (lambda: headed({"kid": KEY.kid}), "head cannot be read"),
        (lambda: headed([]), "head cannot be read"),
        (lambda: headed(b"[" * 3000), "head cannot be read"),
        (lambda: headed(b'{"alg":"RS256","x":' + b"[" * 3000), "head cannot be read"),
        (lambda: headed(b"\xff"), "head cannot be read"),
    ],
)
def test_a_token_that_is_forged_expired_or_not_ours_is_refused(
    api: ApiServer, tmp_path: Path, made: Callable[[], str], why: str
) -> None:
    text = made()  # now: tokens of the time at which tests are collected may have expired
    with pytest.raises(ReporterRefused, match=why) as refused:
        with_keys(api, tmp_path, "", lambda tokens: tokens.reporter(shown(text)))
    assert text not in str(refused.value) or not text


def test_a_token_of_another_service_account_is_refused(api: ApiServer, tmp_path: Path) -> None:
    with pytest.raises(ReporterRefused, match=r"kubesonar/kubesonar, expected kube-system/agent \(reports.account\)"):
        with_keys(api, tmp_path, "kube-system/agent", lambda tokens: tokens.reporter(shown(token())))


def test_keys_are_asked_for_again_when_a_token_names_an_unknown_one_but_not_for_each(
    api: ApiServer, tmp_path: Path
) -> None:
    async def forged(tokens: VerifiedTokens) -> None:
        for number in range(5):
            with pytest.raises(ReporterRefused):
                await tokens.reporter(shown(token(OTHER, jti=str(number))))

    with_keys(api, tmp_path, "", forged)
    assert len([asked for asked, _ in api.log if asked.path == KEYS_PATH]) == 1


def test_keys_that_cannot_be_used_are_passed_over(api: ApiServer, tmp_path: Path) -> None:
    odd = [
        {"kty": "EC", "kid": "x", "crv": "P-999", "x": "a", "y": "b"},
        {"kty": "EC", "kid": "y", "crv": ["P-256"], "x": "a", "y": "b"},
        {"kty": "RSA", "kid": "m", "n": 5, "e": []},
        {"kty": "RSA", "kid": "n", "n": "", "e": ""},
        {"kty": "oct", "kid": "o", "k": "aaaa"},
        {"kty": ["RSA"], "kid": "p"},
        {"kid": KEY.kid},
        {},
    ]
    api.switches.documents[KEYS_PATH] = lambda _: {"keys": [*odd, KEY.as_dict(private=False)]}
    found = with_keys(api, tmp_path, "", lambda tokens: tokens.reporter(shown(token())))
    assert found == Reporter("node2", "kubesonar-742zr")


def test_while_the_keys_are_not_known_nobody_is_refused_for_good(api: ApiServer, tmp_path: Path) -> None:
    async def away(tokens: VerifiedTokens) -> Reporter:
        api.fail(500, times=1)
        with pytest.raises(AuthorityAway, match="keys of service accounts are not known"):
            await tokens.reporter(shown(token()))
        return await tokens.reporter(shown(token()))

    assert with_keys(api, tmp_path, "", away) == Reporter("node2", "kubesonar-742zr")


def test_a_token_without_a_node_is_bound_by_its_pods_uid(api: ApiServer, tmp_path: Path) -> None:
    """As tokens were before Kubernetes 1.30."""
    pod = shapes.pod("kubesonar-742zr", node="node2", namespace="kubesonar", ips=("10.0.0.1",))
    api.put("pods", pod)
    uid = api.get("pods", "kubesonar-742zr", "kubesonar")["metadata"]["uid"]
    bound = claims()["kubernetes.io"]
    del bound["node"]
    good = bound | {"pod": {"name": "kubesonar-742zr", "uid": uid}}
    former = bound | {"pod": {"name": "kubesonar-742zr", "uid": "another"}}
    gone = bound | {"pod": {"name": "gone", "uid": uid}}

    def ask(given: dict[str, Any]) -> Any:
        return with_keys(api, tmp_path, "", lambda tokens: tokens.reporter(shown(token(bound=given))))

    assert ask(good) == Reporter("node2", "kubesonar-742zr")
    with pytest.raises(ReporterRefused, match="earlier pod"):
        ask(former)
    with pytest.raises(ReporterRefused, match="there is no pod gone"):
        ask(gone)

"""Reviews as a real API server answers them (shared/reference/samples/kubernetes/tokens.txt)."""

import json
from pathlib import Path
from typing import Any

import pytest

from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.net.clock import SystemClock
from kubesonar.reports.auth.reporter import AuthorityAway, Reporter, ReporterRefused
from kubesonar.reports.auth.token_review import REVIEW_PATH, TokenReviews
from kubesonar.reports.auth.verified import VerifiedTokens
from kubesonar.web import Request
from tests.kube.apiserver import ApiServer
from tests.web.support import run

CLOCK = SystemClock()
EXTRA = {
    "authentication.kubernetes.io/node-name": ["node2"],
    "authentication.kubernetes.io/pod-name": ["kubesonar-742zr"],
    "authentication.kubernetes.io/pod-uid": ["ede1ce0c-e361-4c2c-b91a-1e42fb447305"],
}
USER = {"username": "system:serviceaccount:kubesonar:kubesonar", "extra": EXTRA}
GOOD = {"authenticated": True, "user": USER, "audiences": ["kubesonar"]}


def reviewed(tmp_path: Path, status: dict[str, Any] | None) -> tuple[Reporter, list[Any]]:
    """Whom an API server makes of a token whose review has that status, and what it was asked."""
    asked: list[Any] = []

    def review(body: bytes) -> dict[str, Any]:
        asked.append(json.loads(body))
        return {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status}

    async def work() -> Reporter:
        client = Client(from_kubeconfig(api.kubeconfig(tmp_path / "config")))
        try:
            tokens = VerifiedTokens(TokenReviews(client, "kubesonar").verify, client, "", CLOCK)
            return await tokens.reporter(Request(headers=[(b"authorization", b"Bearer " + b"a" * 20)]))
        finally:
            client.close()

    with ApiServer() as api:
        if status is not None:
            api.switches.documents[REVIEW_PATH] = review
        return run(work), asked


def test_a_token_that_the_api_server_believes_says_pod_and_node(tmp_path: Path) -> None:
    reporter, asked = reviewed(tmp_path, GOOD)
    assert reporter == Reporter("node2", "kubesonar-742zr")
    assert asked[0]["spec"] == {"token": "a" * 20, "audiences": ["kubesonar"]}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"user": {}, "error": "invalid bearer token"}, "does not believe the token: invalid bearer token"),
        ({}, "does not believe"),
        (GOOD | {"audiences": ["other"]}, "another audience"),
        (GOOD | {"audiences": []}, "another audience"),
        (GOOD | {"user": USER | {"username": "admin"}}, "not that of a service account"),
        (GOOD | {"user": USER | {"extra": {}}}, "not bound to a pod"),
    ],
)
def test_a_token_that_it_does_not_believe_is_refused(tmp_path: Path, status: dict[str, Any], why: str) -> None:
    with pytest.raises(ReporterRefused, match=why):
        reviewed(tmp_path, status)


def test_an_api_server_that_does_not_answer_makes_nobody_a_stranger(tmp_path: Path) -> None:
    with pytest.raises(AuthorityAway, match="reviews no token"):
        reviewed(tmp_path, None)

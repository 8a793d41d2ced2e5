"""Service accounts' tokens, verified by the API server (TokenReview, authentication.k8s.io/v1)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.core.encoding import encode_json
from kubesonar.kube.client import Client
from kubesonar.kube.errors import ApiError
from kubesonar.model import clip
from kubesonar.reports.auth.reporter import AuthorityAway, ReporterRefused
from kubesonar.reports.auth.verified import BoundToken

REVIEW_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"

_EXTRA = "authentication.kubernetes.io/"
_ACCOUNT = "system:serviceaccount:"
_Words = Annotated[list[str], msgspec.Meta(max_length=64)]


class _User(msgspec.Struct):
    username: str = ""
    extra: dict[str, _Words] = msgspec.field(default_factory=dict)


class _Status(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: _Words = msgspec.field(default_factory=list)
    error: str = ""


class _Review(msgspec.Struct):
    status: _Status


class TokenReviews:
    """Has the API server verify tokens, so that a pod that was deleted is known to be."""

    def __init__(self, client: Client, audience: str) -> None:
        self._client = client
        self._audience = audience

    async def verify(self, token: str) -> BoundToken:
        """Return what a token says. Raises ReporterRefused for one that the API server does not believe, or that is for
        another audience or not bound to a pod, AuthorityAway where the API server does not answer."""
        spec = {"token": token, "audiences": [self._audience]}
        body = encode_json({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec})
        try:
            status = (await self._client.send("POST", REVIEW_PATH, body, _Review)).status
        except ApiError as error:
            raise AuthorityAway(f"the API server reviews no token: {error}") from None
        if not status.authenticated:
            raise ReporterRefused(f"the API server does not believe the token: {clip(status.error, 120)}")
        if self._audience not in status.audiences:
            raise ReporterRefused(f"the token is for another audience, expected {self._audience} (reports.audience)")
        return _bound(status.user)


def _bound(user: _User) -> BoundToken:
    """Return what the API server says of a token's user; until when it is good it does not say."""
    namespace, _, account = user.username.removeprefix(_ACCOUNT).partition(":")
    if not user.username.startswith(_ACCOUNT):
        raise ReporterRefused("the token is not that of a service account")

    def extra(name: str) -> str:
        return next(iter(user.extra.get(_EXTRA + name, ())), "")

    return BoundToken(namespace, account, float("inf"), extra("pod-name"), extra("pod-uid"), extra("node-name"))

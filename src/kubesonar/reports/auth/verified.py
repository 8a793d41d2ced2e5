"""Tokens that were verified: each once until it expires, and for each the node that its pod runs on."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec

from kubesonar.kube.client import Client
from kubesonar.kube.errors import ApiError
from kubesonar.kube.object_meta import ObjectPart, ObjectWord
from kubesonar.kube.types import PodSpec
from kubesonar.model import clip
from kubesonar.net.clock import Clock
from kubesonar.reports.auth.reporter import AuthorityAway, Reporter, ReporterRefused
from kubesonar.web import Request, bearer_token

_KEPT = 20_000
"""Verified tokens that are remembered, one for each agent of a large cluster. Fewer, and tokens are verified again with
each report; more, and whoever has many tokens takes more memory."""

_WORTH = 300.0
"""Longest time (s) for which a verified token is believed without looking again. Longer, and the pod of a node that was
deleted reports on; shorter, and more of the collector's time goes into signatures."""

_AT_ONCE = 16
"""Tokens that are verified at once of those that never were. More, and whoever sends made-up ones has the API server
review as many; fewer, and agents that all begin to report at once have to send again."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_WORD = re.compile(r"[A-Za-z0-9_.=-]{16,8192}")


class BoundToken(msgspec.Struct, frozen=True):
    """The claims of a verified token: the service account, until when it is good (Unix seconds), and its pod and node.
    `node` is empty before Kubernetes 1.30."""

    namespace: str
    account: str
    until: float
    pod: str
    uid: str
    node: str = ""


class _PodMeta(ObjectPart, frozen=True):
    uid: ObjectWord = ""


class _BoundPod(ObjectPart, frozen=True):
    metadata: _PodMeta
    spec: PodSpec


class VerifiedTokens:
    """A `ReportAuthenticator` that verifies each token once in a while by `verify`, which returns what it says and
    raises as `reporter` does. `account` is the service account that is believed, as NAMESPACE/NAME, empty for any."""

    def __init__(
        self, verify: Callable[[str], Awaitable[BoundToken]], client: Client, account: str, clock: Clock
    ) -> None:
        self._verify = verify
        self._client = client
        self._account = account
        self._clock = clock
        self._known: dict[bytes, tuple[float, float, Reporter]] = {}
        self._strangers = 0

    async def reporter(self, request: Request) -> Reporter:
        """See `ReportAuthenticator`."""
        token = (bearer_token(request) or b"").decode("ascii", "replace")
        if not _WORD.fullmatch(token):
            raise ReporterRefused("a service account's token is needed")
        key = sha256(token.encode()).digest()
        known = self._known.get(key)
        if known is not None:
            expires, looked, reporter = known
            if self._clock.wall() < expires and self._clock.mono() < looked + _WORTH:
                return reporter
        elif self._strangers >= _AT_ONCE:
            raise AuthorityAway(f"{_AT_ONCE} tokens are being verified")
        self._strangers += known is None
        try:
            bound = await self._verify(token)
            reporter = await self._bound(bound)
        except ReporterRefused:
            self._known.pop(key, None)
            raise
        finally:
            self._strangers -= known is None
        self._known.pop(key, None)
        if len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[key] = bound.until, self._clock.mono(), reporter
        return reporter

    async def _bound(self, bound: BoundToken) -> Reporter:
        account = f"{bound.namespace}/{bound.account}"
        if self._account and account != self._account:
            raise ReporterRefused(f"the token is that of {clip(account)}, expected {self._account} (reports.account)")
        if not _NAME.fullmatch(bound.pod):
            raise ReporterRefused("the token is not bound to a pod")
        return Reporter(bound.node or await self._node_of(bound), bound.pod)

    async def _node_of(self, bound: BoundToken) -> str:
        """Return the node of a token's pod by asking for the pod: tokens name it only since Kubernetes 1.30."""
        try:
            pod = await self._client.get(f"/api/v1/namespaces/{bound.namespace}/pods/{bound.pod}", _BoundPod)
        except ApiError as error:
            if error.status == 404:
                raise ReporterRefused(f"there is no pod {bound.pod}") from None
            raise AuthorityAway(f"the node of the pod {bound.pod} is not known: {error}") from None
        if pod.metadata.uid != bound.uid or not pod.spec.node_name:
            raise ReporterRefused(f"the token is of an earlier pod {bound.pod}")
        return pod.spec.node_name

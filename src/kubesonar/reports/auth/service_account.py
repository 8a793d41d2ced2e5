"""Service accounts' tokens, verified without asking the API server: by the keys that the cluster publishes."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from kubesonar.core.decoding import Undecodable, convert_plain, decode_json
from kubesonar.kube.client import Client
from kubesonar.kube.errors import ApiError
from kubesonar.model import clip
from kubesonar.net.clock import Clock
from kubesonar.reports.auth.reporter import AuthorityAway, ReporterRefused
from kubesonar.reports.auth.verified import BoundToken

KEYS_PATH = "/openid/v1/jwks"
ISSUER_PATH = "/.well-known/openid-configuration"

_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
"""Algorithms that API servers sign with. One that takes a public key for a shared secret (HS256) must never be here."""

_REFRESH = 3600.0
"""Seconds for which keys are used before they are asked for again, as the API server's Cache-Control says. Longer, and
a key that was withdrawn is believed for as long."""

_PAUSE = 10.0
"""Least seconds between two requests for the keys. Shorter, and forged tokens with unknown keys are passed on to the
API server as requests; longer, and tokens of a new key are refused for as long after a rotation."""

_LEEWAY = 5.0
"""Seconds by which the clocks of API server and collector may differ. More, and expired tokens are good for as long."""

_Name = Annotated[str, msgspec.Meta(max_length=253)]


class _Head(msgspec.Struct, frozen=True):
    """The header of a token, which says how it is signed (RFC 7515, section 4). joserfc raises TypeError for a `crit`
    that is no list."""

    alg: str
    kid: _Name = ""
    crit: tuple[str, ...] = ()


class _Named(msgspec.Struct, frozen=True):
    name: _Name
    uid: _Name = ""


class _Bound(msgspec.Struct, frozen=True):
    namespace: _Name
    serviceaccount: _Named
    pod: _Named
    node: _Named = _Named("")


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    aud: list[str]
    exp: float
    bound: _Bound = msgspec.field(name="kubernetes.io")
    nbf: float = 0.0


class _Keys(msgspec.Struct):
    keys: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=64)]


class _Issuer(msgspec.Struct):
    issuer: str


class PublishedKeys:
    """Verifies tokens by the keys and the issuer's name that the API server publishes. They are asked for again once an
    hour, and at once when a token is signed with a key that is not among them."""

    def __init__(self, client: Client, audience: str, clock: Clock) -> None:
        self._client = client
        self._audience = audience
        self._clock = clock
        self._issuer = ""
        self._keys: dict[str, jwk.Key] = {}
        self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> BoundToken:
        """Return what a token says. Raises ReporterRefused for one that is forged, expired, not yet good, made for
        another audience or not bound to a pod, AuthorityAway where the keys are not known."""
        key = await self._key_of(token)
        try:
            claims = convert_plain(jwt.decode(token, key, algorithms=list(_ALGORITHMS)).claims, _Claims)
        except (JoseError, ValueError, RecursionError) as error:
            why = "it is not bound to a pod" if isinstance(error, Undecodable) else "its signature does not fit"
            raise ReporterRefused(f"the token is not believed: {why}") from None
        return self._believed(claims)

    def _believed(self, claims: _Claims) -> BoundToken:
        now = self._clock.wall()
        if claims.iss != self._issuer:
            raise ReporterRefused(f"the token was issued by {clip(claims.iss, 80)}, expected {self._issuer}")
        if self._audience not in claims.aud:
            raise ReporterRefused(f"the token is for another audience, expected {self._audience} (reports.audience)")
        if now >= claims.exp + _LEEWAY:
            raise ReporterRefused(f"the token expired {now - claims.exp:.0f} s ago")
        if now < claims.nbf - _LEEWAY:
            raise ReporterRefused("the token is not good yet: the clocks differ")
        bound = claims.bound
        return BoundToken(
            bound.namespace, bound.serviceaccount.name, claims.exp, bound.pod.name, bound.pod.uid, bound.node.name
        )

    async def _key_of(self, token: str) -> jwk.Key:
        """Return the key that a token names, asking for the keys where it is not known or they are old."""
        try:
            head = decode_json(urlsafe_b64decode(token.partition(".")[0] + "=="), _Head)
        except ValueError:
            raise ReporterRefused("this is no token: its head cannot be read") from None
        if head.alg not in _ALGORITHMS or head.crit:
            raise ReporterRefused("the token is not believed: it is not signed as API servers sign")
        kid = head.kid
        async with self._lock:
            age = self._clock.mono() - self._asked
            if age > _REFRESH or (kid not in self._keys and age > _PAUSE):
                await self._fetch()
        if kid not in self._keys:
            raise ReporterRefused("the token is signed with a key that the cluster does not publish")
        return self._keys[kid]

    async def _fetch(self) -> None:
        """Ask for the keys and the issuer. Raises AuthorityAway where there are none yet; the ones before stay in force
        while the API server does not answer."""
        self._asked = self._clock.mono()
        try:
            self._issuer = (await self._client.get(ISSUER_PATH, _Issuer)).issuer
            published = await self._client.get(KEYS_PATH, _Keys)
        except ApiError as error:
            if not self._keys:
                self._asked = float("-inf")
                raise AuthorityAway(f"the keys of service accounts are not known: {error}") from None
            return
        self._keys = dict(_usable(published.keys))


def _usable(published: list[dict[str, Any]]) -> Iterator[tuple[str, jwk.Key]]:
    """Yield the public keys by their ids; those of another kind than signatures', and of curves that joserfc does not
    know, for which it raises KeyError, are passed over."""
    for key in published:
        if key.get("kty") in ("RSA", "EC") and isinstance(key.get("kid"), str):
            with suppress(JoseError, ValueError, KeyError, TypeError):
                yield key["kid"], jwk.import_key(key)

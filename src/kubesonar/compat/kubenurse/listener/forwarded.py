"""Whether a request came through a proxy: an ingress that forwards every path would publish /metrics and /alive."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.net.http.url import parse_url
from kubesonar.web import Request

_MARKS = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-real-ip",
        b"cf-connecting-ip",
        b"true-client-ip",
        b"x-envoy-external-address",
    }
)
"""Headers in which reverse proxies name their client (RFC 7239; RFC 9110, section 7.6.3; nginx, HAProxy, Traefik, Envoy
and CDNs). Headers that side-cars of a mesh add between pods (X-Forwarded-Proto, X-Request-Id) are not among them: with
these, a mesh would keep Prometheus out."""


class ForwardedGuard:
    """Recognises requests that an ingress forwarded: by headers that proxies add, and by the ingress' host name, which
    they keep. A proxy that adds no header and changes the name, or one that forwards bytes, is taken for a client."""

    def __init__(self, ingress_url: str, service_url: str) -> None:
        hosts, ours = _hosts([ingress_url]), _hosts([service_url])
        self._hosts = hosts - ours

    def forwarded(self, request: Request) -> bool:
        """Whether the request came from outside."""
        return any(
            name in _MARKS or (name == b"host" and _bare(value) in self._hosts) for name, value in request.headers
        )


def _hosts(urls: Iterable[str]) -> frozenset[str]:
    found = set()
    for url in urls:
        try:
            found.add(parse_url(url).host.lower().rstrip("."))
        except ValueError:
            continue
    return frozenset(found)


def _bare(host: bytes) -> str:
    """Return the name in a Host header without port and final dot, both of which a proxy may keep."""
    text = host.decode("latin-1").strip().lower()
    name, _, rest = text.rpartition(":")
    return (name if name and rest.isdigit() else text).strip("[]").rstrip(".")

"""Whether a request came through a proxy: an ingress that publishes all paths must not publish ours to the world."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.net.http.url import parse_url
from kubesonar.web.asgi import Scope

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
"""Headers by which reverse proxies say whom they speak for (RFC 7239; RFC 9110, section 7.6.3; the habits of nginx,
HAProxy, Traefik, Envoy and CDNs). Those that side-cars of a mesh add between pods (X-Forwarded-Proto, X-Request-Id)
are none, or a mesh would keep Prometheus out."""


class ForwardedGuard:
    """`forwarded` tells requests that an ingress handed on: by what proxies add, and by the ingress' own host name,
    which they leave as it is. A proxy that adds nothing and changes the name, or one that hands on bytes, cannot be
    told from a client."""

    def __init__(self, ingress_url: str, service_url: str) -> None:
        hosts, ours = _hosts([ingress_url]), _hosts([service_url])
        self._hosts = hosts - ours

    def forwarded(self, scope: Scope) -> bool:
        """Whether to treat a request as one from outside."""
        return any(
            name in _MARKS or (name == b"host" and _bare(value) in self._hosts) for name, value in scope["headers"]
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
    """The name of a Host header, without the port and the dot of the root, which a proxy may let pass."""
    text = host.decode("latin-1").strip().lower()
    name, _, rest = text.rpartition(":")
    return (name if name and rest.isdigit() else text).strip("[]").rstrip(".")

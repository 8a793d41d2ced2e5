"""The way of one request: straight to its server, or through a proxy."""

from __future__ import annotations

import ssl

import msgspec

from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.origin import Origin, direct
from kubesonar.net.http.proxy.environment import Proxy
from kubesonar.net.http.proxy.tunnel import Tunnel
from kubesonar.net.http.url import Url


def origin_of(url: Url, context: ssl.SSLContext | None, proxy: Proxy | None) -> Origin:
    """Return the origin to connect to for `url`: https goes through a tunnel. Raises ValueError."""
    if proxy is None:
        return Origin.of(url, context)
    wire = Tunnel.to(url, proxy.headers) if url.secure else direct
    return Origin(proxy.url.host, proxy.url.port, url.host, url.secure, context, wire)


def request_of(
    method: str, url: Url, headers: tuple[tuple[str, str], ...], proxy: Proxy | None, body: bytes = b""
) -> HttpRequest:
    """Return the request: in absolute form (RFC 9112, section 3.2.2) for a proxy that makes no tunnel. Raises
    ValueError."""
    if proxy is None or url.secure:
        return HttpRequest.make(method, url, headers, body)
    whole = msgspec.structs.replace(url, target=f"{url.scheme}://{url.authority}{url.target}")
    return HttpRequest.make(method, whole, (*headers, *proxy.headers), body)

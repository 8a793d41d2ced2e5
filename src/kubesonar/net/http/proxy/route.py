"""The way of one request: straight to its server, or through a proxy."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import msgspec

from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.origin import Origin, direct
from kubesonar.net.http.proxy.environment import Proxy
from kubesonar.net.http.proxy.socks import SocksTunnel
from kubesonar.net.http.proxy.tunnel import Tunnel
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Stream


def origin_of(url: Url, context: ssl.SSLContext | None, proxy: Proxy | None) -> Origin:
    """Return the origin to connect to for `url`: https goes through a tunnel, and by SOCKS everything. Raises
    ValueError."""
    if proxy is None:
        return Origin.of(url, context)
    wire = tunnel_of(url, proxy) if proxy.socks or url.secure else direct
    return Origin(proxy.url.host, proxy.url.port, url.host, url.secure, context, wire)


def tunnel_of(url: Url, proxy: Proxy) -> Callable[[float], Stream]:
    """Return what makes streams to the server of `url` through the proxy, each with so many seconds to connect to that.
    Raises ValueError."""
    return SocksTunnel(url.host, url.port, proxy.login) if proxy.socks else Tunnel.to(url, proxy.headers)


def request_of(
    method: str, url: Url, headers: tuple[tuple[str, str], ...], proxy: Proxy | None, body: bytes = b""
) -> HttpRequest:
    """Return the request: in absolute form (RFC 9112, section 3.2.2) for a proxy that makes no tunnel. Raises
    ValueError."""
    if proxy is None or proxy.socks or url.secure:
        return HttpRequest.make(method, url, headers, body)
    whole = msgspec.structs.replace(url, target=f"{url.scheme}://{url.authority}{url.target}")
    return HttpRequest.make(method, whole, (*headers, *proxy.headers), body)

"""HTTP_PROXY, HTTPS_PROXY and NO_PROXY, read as by Go (https://pkg.go.dev/golang.org/x/net/http/httpproxy)."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping

import msgspec

from kubesonar.core.address import bracketed
from kubesonar.net.http.proxy.no_proxy import NoProxy
from kubesonar.net.http.proxy.userinfo import split_user
from kubesonar.net.http.url import Url, parse_url

PROXY_FORMS = "http://HOST:PORT or socks5://HOST:PORT"
"""The form of a proxy's URL, for sentences that refuse another."""

_SOCKS = frozenset({"socks5", "socks5h"})
"""Schemes of SOCKS proxies. Go has the proxy look names up under either."""

_SOCKS_PORT = 1080
"""Port of a SOCKS proxy whose URL names none (RFC 1928, section 3)."""


class Proxy(msgspec.Struct, frozen=True):
    """A proxy's URL, the value of the header that authenticates its client (empty: none), and whether it is asked by
    SOCKS; the URL's scheme is http then too."""

    url: Url
    authorization: str = ""
    socks: bool = False

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header for requests to the proxy, if any."""
        return (("Proxy-Authorization", self.authorization),) if self.authorization else ()

    @property
    def login(self) -> tuple[bytes, ...]:
        """The user's name and password that authenticate its client, if any."""
        if not self.authorization:
            return ()
        user, _, password = a2b_base64(self.authorization.removeprefix("Basic ")).partition(b":")
        return user, password


class Proxies:
    """The proxy for each URL. `names` are the variables that are set for it, by scheme."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._unusable: dict[str, str] = {}
        names = {scheme: _name(environ, f"{scheme}_proxy") for scheme in ("http", "https")}
        self.names = {scheme: name for scheme, name in names.items() if environ.get(name)}
        self._of = {scheme: self._read(environ, f"{scheme}_proxy") for scheme in ("http", "https")}
        self._direct = NoProxy(_value(environ, "no_proxy"))

    @property
    def trouble(self) -> str:
        """A sentence that names a variable that cannot be used; empty where all can."""
        return next((f"{name} is not used: expected {PROXY_FORMS}" for name in self._unusable.values()), "")

    def unusable(self, url: Url) -> str:
        """Return the variable that names a proxy for this URL that cannot be used; empty where none does."""
        return "" if self._direct.has(url.host, url.port) else self._unusable.get(url.scheme, "")

    def of(self, url: Url) -> Proxy | None:
        """Return the proxy; None where there is none, the host is excepted, or it is this machine."""
        proxy = self._of[url.scheme]
        return None if proxy is None or self._direct.has(url.host, url.port) else proxy

    def _read(self, environ: Mapping[str, str], name: str) -> Proxy | None:
        text = _value(environ, name)
        if not text:
            return None
        try:
            return proxy_at(text if "://" in text else f"http://{text}")
        except ValueError:
            self._unusable[name.removesuffix("_proxy")] = name.upper()
            return None


def proxy_at(text: str) -> Proxy:
    """Read a proxy's URL, http://HOST:PORT or socks5://HOST:PORT, with a user's name and password or without. Raises
    ValueError, also for a proxy that is asked by TLS."""
    scheme, mark, rest = text.partition("://")
    socks = scheme.lower() in _SOCKS
    bare, authorization = split_user(("http" if socks else scheme.lower()) + mark + rest)
    url = parse_url(bare)
    if url.secure:
        raise ValueError("a proxy that is asked by TLS")
    if socks and url.authority == bracketed(url.host):
        url = msgspec.structs.replace(url, port=_SOCKS_PORT)
    return Proxy(url, authorization, socks)


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(_name(environ, name), "")


def _name(environ: Mapping[str, str], name: str) -> str:
    """The spelling of the variable that is in force: capitals go before small letters."""
    return name.upper() if environ.get(name.upper()) else name


NO_PROXIES = Proxies({})
"""Leads to every server straight."""

"""HTTP_PROXY, HTTPS_PROXY and NO_PROXY, read as by Go (https://pkg.go.dev/golang.org/x/net/http/httpproxy)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kubesonar.compat.kubenurse.checks.userinfo import split_user
from kubesonar.core.address import is_in, is_literal, parse_network
from kubesonar.net.http.url import Url, parse_url


class Proxy(msgspec.Struct, frozen=True):
    """A proxy's URL, and the value of the header that authenticates its client (empty: none)."""

    url: Url
    authorization: str = ""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header for requests to the proxy, if any."""
        return (("Proxy-Authorization", self.authorization),) if self.authorization else ()


class Proxies:
    """The proxy for each URL. `trouble` names a variable that cannot be used."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.trouble = ""
        self._of = {scheme: self._read(environ, f"{scheme}_proxy") for scheme in ("http", "https")}
        self._direct = _Direct(_value(environ, "no_proxy"))

    def of(self, url: Url) -> Proxy | None:
        """Return the proxy; None where there is none, the host is excepted, or it is this machine."""
        proxy = self._of[url.scheme]
        return None if proxy is None or self._direct.has(url.host.lower(), url.port) else proxy

    def _read(self, environ: Mapping[str, str], name: str) -> Proxy | None:
        text = _value(environ, name)
        if not text:
            return None
        try:
            return _proxy(text if "://" in text else f"http://{text}")
        except ValueError:
            self.trouble = f"{name.upper()} is not used: expected http://HOST:PORT"
            return None


class _Direct:
    """The hosts of NO_PROXY: names, ".suffixes", addresses and networks, each with or without a port; "*" is every
    host."""

    def __init__(self, text: str) -> None:
        self._entries = [entry for entry in (part.strip().lower() for part in text.split(",")) if entry]

    def has(self, host: str, port: int) -> bool:
        """Whether a host is reached without a proxy; this machine always is."""
        if host == "localhost" or (is_literal(host) and _in_network(host, "127.0.0.0/8")) or host == "::1":
            return True
        return any(_matches(entry, host, port) for entry in self._entries)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*" or ("/" in entry and _in_network(host, entry)):
        return True
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and ":" not in name.strip("[]"):
        entry = name
        if int(number) != port:
            return False
    entry = entry.strip("[]").removeprefix("*")
    if is_literal(host):
        return entry == host
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith(f".{entry}")


def _in_network(host: str, network: str) -> bool:
    try:
        return is_in(host, parse_network(network))
    except ValueError:
        return False


def _proxy(text: str) -> Proxy:
    """Read a proxy's URL. Raises ValueError."""
    bare, authorization = split_user(text)
    url = parse_url(bare)
    if url.secure:
        raise ValueError("a proxy that is asked by TLS")
    return Proxy(url, authorization)


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.upper()) or environ.get(name, "")

"""The request and the expected statuses of an HTTP check."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from kubesonar.net.http.exchange import CLOSE, USER_AGENT, HttpRequest
from kubesonar.net.http.proxy.environment import Proxy
from kubesonar.net.http.proxy.route import request_of
from kubesonar.net.http.url import Url, parse_url

_PLANS = 1024
_OK = "200"


class HttpPlan(msgspec.Struct, frozen=True):
    """A check's URL, its request in bytes, and the lowest and highest status that is well."""

    url: Url
    request: HttpRequest
    lowest: int
    highest: int


@lru_cache(maxsize=_PLANS)
def http_plan(request: str, expect: str, last: bool = False) -> HttpPlan:
    """Read `Check.request`, a URL, and `Check.expect`, a status or a range as "200-299" (empty: 200). With `last` the
    request asks the server to close the connection. Raises ValueError."""
    url = parse_url(request)
    lowest, highest = parse_statuses(expect)
    return HttpPlan(url, get(url, last=last), lowest, highest)


def get(url: Url, token: str = "", proxy: Proxy | None = None, *, last: bool = False) -> HttpRequest:
    """Return a GET of this URL, with the bearer token if any, for the server or for its proxy; it is the `last` on its
    connection. Raises ValueError for a token with a line break."""
    shown = (("Authorization", f"Bearer {token}"),) if token else ()
    return request_of("GET", url, (USER_AGENT, ("Accept", "*/*"), *shown, *((CLOSE,) if last else ())), proxy)


def parse_statuses(text: str) -> tuple[int, int]:
    """Return the lowest and the highest status of "200" or "200-299"; empty means 200. Raises ValueError."""
    first, _, last = (text or _OK).partition("-")
    last = last or first
    if not all(len(word) == 3 and word.isascii() and word.isdigit() for word in (first, last)) or first > last:
        raise ValueError(f'an HTTP check expects a status as "200" or a range as "200-299", not {text!r}')
    return int(first), int(last)

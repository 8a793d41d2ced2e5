"""Targets of HTTP redirects."""

from __future__ import annotations

import re

from kubesonar.net.http.url import Url, parse_url

MAX_REDIRECTS = 10
"""Most redirects that one request follows, as Go's client. Higher: a loop costs more; lower: long chains fail."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


def redirect_target(url: Url, location: str) -> Url:
    """Return the URL of a Location header, which may be relative to `url` (RFC 3986, section 4.2). Raises
    ValueError."""
    if scheme := _SCHEME.match(location):
        return parse_url(scheme[0].lower() + location[scheme.end() :])
    if location.startswith("//"):
        return parse_url(f"{url.scheme}:{location}")
    base = f"{url.scheme}://{url.authority}"
    path = url.target.partition("?")[0]
    if location.startswith("/"):
        return parse_url(base + location)
    if location.startswith(("?", "#")):
        return parse_url(base + path + location)
    return parse_url(f"{base}{path[: path.rfind('/') + 1]}{location}")

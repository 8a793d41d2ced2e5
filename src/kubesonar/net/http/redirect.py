"""Targets of HTTP redirects."""

from __future__ import annotations

import re

from msgspec.structs import replace

from kubesonar.net.http.url import Url, escaped_url, parse_url

MAX_REDIRECTS = 10
"""Most redirects that one request follows, as Go's client. Higher: a loop costs more; lower: long chains fail."""

_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


def redirect_target(url: Url, location: str) -> Url:
    """Return the URL of a Location header (its bytes as Latin-1), which may be relative to `url` (RFC 3986, section
    5.2). Spaces and bytes beyond ASCII are percent-encoded, as Go and curl do. Raises ValueError."""
    if _CONTROL.search(location):
        raise ValueError("a URL is without control characters")
    location = escaped_url(location.encode("latin-1", "replace"))
    if _SCHEME.match(location):
        return _without_dots(parse_url(location))
    if location.startswith("//"):
        return _without_dots(parse_url(f"{url.scheme}:{location}"))
    base = f"{url.scheme}://{url.authority}"
    path = url.target.partition("?")[0]
    if location.startswith("/"):
        return _without_dots(parse_url(base + location))
    if location.startswith("?"):
        return parse_url(base + path + location)
    if location.startswith("#"):
        return parse_url(base + url.target + location)
    return _without_dots(parse_url(f"{base}{path[: path.rfind('/') + 1]}{location}"))


def _without_dots(url: Url) -> Url:
    """A URL without the segments "." and ".." (RFC 3986, section 5.2.4)."""
    path, mark, query = url.target.partition("?")
    segments = path.split("/")[1:]
    if not {".", ".."} & set(segments):
        return url
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return replace(url, target=f"/{'/'.join(kept)}{mark}{query}")

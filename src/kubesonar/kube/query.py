"""Paths and queries as requests hold them, without urllib, which costs every agent memory."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kubesonar.kube.object_meta import T
from kubesonar.kube.resource import Resource

Query = Iterable[tuple[str, str]]

_PATH = re.compile(r"/[!-~]*", re.ASCII)
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""Bytes that need no escape (RFC 3986, section 2.3)."""


def request_target(path: str, query: Query = ()) -> str:
    """Return path and query as one text. Raises ValueError for a bad path."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"a path begins with / and has no white space, not {path[:80]!r}")
    words = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query)
    return f"{path}?{words}" if words else path


def resource_target(resource: Resource[T], query: Query) -> str:
    """Return a resource's path with a query and its selectors."""
    selectors = (("labelSelector", resource.labels), ("fieldSelector", resource.fields))
    return request_target(resource.path, (*query, *(pair for pair in selectors if pair[1])))


def _quoted(text: str) -> str:
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode())

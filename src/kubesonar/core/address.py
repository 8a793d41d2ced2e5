"""Hosts as they stand in URLs."""

from __future__ import annotations


def bracketed(host: str) -> str:
    """A name or IP literal as a URL or a Host header has it: IPv6 in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host

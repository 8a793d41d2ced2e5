"""Reads the configuration of this machine's resolver from its file (resolv.conf(5))."""

from __future__ import annotations

from kubesonar.core.probing import resolv_conf
from kubesonar.net.watched_file import read_file

_LIMIT = 65_536
"""Longest file (bytes). Shorter, and one with a long search list is refused; longer, and a wrong path costs memory."""


def read_resolv_conf(path: str) -> resolv_conf.ResolvConf:
    """Return what the file says. Raises OSError, and ValueError for a file that is too long."""
    return resolv_conf.parse(read_file(path, _LIMIT).decode("utf-8", "replace"))

"""Reads what an agent says of its node."""

from __future__ import annotations

import logging

from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.kernel.interface_addresses import interface_addresses
from kubesonar.net.watched_file import read_file

_LOG = logging.getLogger("kubesonar.netchecker")
_LOOKUP = 5.0
"""Seconds for the look-up of the server's name. Higher: reports are late where DNS is dead; lower: slow DNS looks
dead."""


def node_uptime() -> int:
    """Return the whole seconds since the node started, 0 where the kernel does not say."""
    try:
        return int(float(read_file("/proc/uptime", 256).split()[0]))
    except (OSError, ValueError, IndexError):
        return 0


def addresses_of_interfaces() -> dict[str, list[str] | None]:
    """Return the addresses of each interface with their prefix lengths, none where the kernel does not say."""
    try:
        return dict(interface_addresses())
    except OSError as error:
        _LOG.warning("the interfaces cannot be read: %s", error.strerror)
        return {}


async def looked_up(resolver: Resolver, host: str) -> dict[str, list[str] | None]:
    """Return the addresses that the system's resolver has for `host`, None where it has none."""
    try:
        with Deadline(_LOOKUP) as deadline:
            return {host: await resolver.resolve(host, deadline)}
    except Failed as failed:
        _LOG.warning("the server's name cannot be looked up: %s", failed.detail)
        return {host: None}

"""Computes how many conntrack entries an agent's checks keep on its node, and how many neighbours fit under a ceiling.

Time-outs are the kernel's defaults (Documentation/networking/nf_conntrack-sysctl.rst); where a node has shorter ones,
fewer entries are kept than computed.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.core.probing.budget import questions
from kubesonar.model import Check, Kind, Path

TIME_WAIT = 120.0
"""Seconds that a closed connection is kept (nf_conntrack_tcp_timeout_time_wait)."""

STREAM_LIFETIME = 120.0
"""Seconds that UDP from a port in regular use is kept (nf_conntrack_udp_timeout_stream)."""

SINGLE = 30.0
"""Seconds that one question with its answer is kept (nf_conntrack_udp_timeout, nf_conntrack_icmp_timeout)."""

_SEARCH = 3.0
"""Entries of an MTU check beside trains to the same address, whose ports it uses, while it searches: two source ports
of its own, and the one that was replaced last."""

_IDENTIFIER = 60.0
"""Seconds that an echo identifier is used, with one entry towards each address (net/icmp/pinger.py)."""

_MEMBERS = frozenset({Path.POD, Path.HOST})


def entries(check: Check, ports: int, rebind: float, names: int = 1) -> float:
    """Return the entries that one check keeps on its own node, in the mean. A UDP pool has `ports` source ports, of
    which one is replaced every `rebind` seconds; `names` as in `budget.Consumers`."""
    lookups = questions(check, names) * SINGLE / check.period
    match check.kind:
        case Kind.UDP | Kind.MTU:
            return ports + STREAM_LIFETIME / rebind
        case Kind.ICMP:
            return 1 + SINGLE / _IDENTIFIER
        case Kind.DNS if not check.request.endswith(" tcp"):
            return SINGLE / check.period
        case _:
            return TIME_WAIT / check.period + lookups


def total_entries(checks: Iterable[Check], ports: int, rebind: float, names: int = 1) -> float:
    """Return the entries that all checks keep."""
    listed = list(checks)
    trains = {check.address for check in listed if check.kind is Kind.UDP}
    return sum(
        _SEARCH if check.kind is Kind.MTU and check.address in trains else entries(check, ports, rebind, names)
        for check in listed
    )


def affordable_neighbours(
    checks: Iterable[Check], ceiling: int, ports: int, rebind: float, names: int = 1
) -> int | None:
    """Return how many of the neighbours in `checks` fit under `ceiling` beside the other checks, at least one; None
    where all of them fit."""
    listed = list(checks)
    of_members = [check for check in listed if check.path in _MEMBERS]
    members = len({check.target for check in of_members})
    if not members or total_entries(listed, ports, rebind, names) <= ceiling:
        return None
    each = total_entries(of_members, ports, rebind, names) / members
    rest = total_entries((check for check in listed if check.path not in _MEMBERS), ports, rebind, names)
    return max(int((ceiling - rest) / each), 1)

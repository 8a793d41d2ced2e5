"""How many entries of the node's connection tracking an agent's checks keep alive, and how many neighbours fit under a
ceiling. Time-outs are the kernel's defaults (Documentation/networking/nf_conntrack-sysctl.rst)."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.core.probing.budget import questions
from kubesonar.model import Check, Kind, Path

TIME_WAIT = 120.0
"""nf_conntrack_tcp_timeout_time_wait: how long a closed connection is remembered (s)."""

STREAM_LIFETIME = 120.0
"""nf_conntrack_udp_timeout_stream: UDP from a port that is used again and again (s)."""

SINGLE = 30.0
"""nf_conntrack_udp_timeout, nf_conntrack_icmp_timeout: one question and its answer (s)."""

_MTU = 3.0
"""The two source ports of MTU checks, and the one that was replaced last."""

_IDENTIFIER = 60.0
"""An identifier of echoes is used for so long (s): one entry towards each address (net/icmp/pinger.py)."""

_MEMBERS = frozenset({Path.POD, Path.HOST})


def entries(check: Check, ports: int, rebind: float, names: int = 1) -> float:
    """What one check keeps on its own node, in the mean: `ports` source ports of a UDP pool of which one is replaced
    every `rebind` seconds, `names` as in `budget.Consumers`."""
    lookups = questions(check, names) * SINGLE / check.period
    match check.kind:
        case Kind.UDP:
            return ports + STREAM_LIFETIME / rebind
        case Kind.MTU:
            return _MTU
        case Kind.ICMP:
            return 1 + SINGLE / _IDENTIFIER
        case Kind.DNS if not check.request.endswith(" tcp"):
            return SINGLE / check.period
        case _:
            return TIME_WAIT / check.period + lookups


def total_entries(checks: Iterable[Check], ports: int, rebind: float, names: int = 1) -> float:
    """What all checks keep."""
    return sum(entries(check, ports, rebind, names) for check in checks)


def affordable_neighbours(
    checks: Iterable[Check], ceiling: int, ports: int, rebind: float, names: int = 1
) -> int | None:
    """How many of the neighbours in `checks` fit under `ceiling` beside the other checks, at least one; None where all
    of them do."""
    listed = list(checks)
    of_members = [check for check in listed if check.path in _MEMBERS]
    members = len({check.target for check in of_members})
    if not members or total_entries(listed, ports, rebind, names) <= ceiling:
        return None
    each = total_entries(of_members, ports, rebind, names) / members
    rest = total_entries((check for check in listed if check.path not in _MEMBERS), ports, rebind, names)
    return max(int((ceiling - rest) / each), 1)

"""Reads from the kernel how full the conntrack table is, and what was dropped for want of room (proc(5)).

Files under /proc/net are those of this process's network namespace: only in the host network are they the node's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubesonar.model import Saturation
from kubesonar.net.watched_file import read_file

_ROOM = 120_000
"""Most bytes of a file that is read: 1,000 CPUs have a line of 120 each. More, and reading takes the event loop's time;
beyond 128 KiB the C library maps memory anew for each file besides."""


def read_saturation(at: float, root: str = "/") -> Saturation:
    """Return the counters as they are at `at` (Unix seconds), since the kernel or the namespace began. What cannot be
    read, as a kernel without conntrack or gVisor has it not, is None."""
    conntrack = _columns(_text(f"{root}/proc/net/stat/nf_conntrack"))
    udp = _udp(_text(f"{root}/proc/net/snmp")), _udp6(_text(f"{root}/proc/net/snmp6"))
    return Saturation(
        at,
        0.0,
        conntrack_entries=_number(_text(f"{root}/proc/sys/net/netfilter/nf_conntrack_count")),
        conntrack_limit=_number(_text(f"{root}/proc/sys/net/netfilter/nf_conntrack_max")),
        conntrack_drops=conntrack.get("drop"),
        conntrack_early_drops=conntrack.get("early_drop"),
        conntrack_insert_failed=conntrack.get("insert_failed"),
        udp_receive_drops=_total(counts.get("RcvbufErrors") for counts in udp),
        udp_send_drops=_total(counts.get("SndbufErrors") for counts in udp),
        softnet_drops=_softnet_drops(_text(f"{root}/proc/net/softnet_stat")),
    )


def _text(path: str) -> str:
    """Return what a file holds, empty where it cannot be read."""
    try:
        return read_file(path, _ROOM).decode("ascii", "replace")
    except (OSError, ValueError):
        return ""


def _number(text: str, base: int = 10) -> int | None:
    try:
        return int(text, base)
    except ValueError:
        return None


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _columns(text: str) -> Mapping[str, int]:
    """Return the sums of the columns of /proc/net/stat/nf_conntrack: a line of names, and one of hexadecimal numbers
    for each CPU."""
    names, *rows = [line.split() for line in text.splitlines()] or [[]]
    columns = zip(names, zip(*rows, strict=False), strict=False)
    sums = {name: _total(_number(field, 16) for field in column) for name, column in columns}
    return {name: total for name, total in sums.items() if total is not None}


def _udp(text: str) -> Mapping[str, int]:
    """Return the counters of UDP in /proc/net/snmp: a line of names and a line of numbers."""
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith("Udp:")]
    pairs = zip(*lines, strict=False) if len(lines) == 2 else ()
    return {name: number for name, field in pairs if (number := _number(field)) is not None}


def _udp6(text: str) -> Mapping[str, int]:
    """Return the counters of UDP in /proc/net/snmp6: a name and a number on each line."""
    words = [line.split() for line in text.splitlines() if line.startswith("Udp6")]
    pairs = [(word[0].removeprefix("Udp6"), _number(word[1])) for word in words if len(word) == 2]
    return {name: number for name, number in pairs if number is not None}


def _softnet_drops(text: str) -> int | None:
    """Return the sum of the second column of /proc/net/softnet_stat: hexadecimal, a line for each CPU."""
    words = [line.split() for line in text.splitlines()]
    return _total(_number(word[1], 16) for word in words if len(word) > 1)

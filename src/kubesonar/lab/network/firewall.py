"""Faults of links as nft rules. All active rules are loaded in one transaction (`nft -f -`), so that faults never apply
by half and none is left behind.

Directions between nodes are cut where frames pass the bridge (family bridge, hook forward): a pod's packets come
through its node's port. Only `cut` stops address resolution too: without it a drop in one direction would stop both as
soon as a neighbour's entry expires. A pod network is cut at both ends of its link to the node.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from kubesonar.lab.faults import ANY, FaultError, LabFault
from kubesonar.lab.kernel.namespaces import within

_TABLE = "lab"
NFT_TIMEOUT = 30.0
"""Seconds that nft may take. It ends in milliseconds, but waits for the kernel, which a busy machine can keep from
freeing old rules for ten seconds; a longer limit only delays the refusal of an order."""
_IP6_HEADER = 40  # RFC 8200 section 3: `ip6 length` counts without it, `ip length` with the header of IPv4

_ETHER_TYPES = {4: "ip", 6: "ip6"}
"""nft's words for the versions of IP."""

_RESOLUTION = "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }"


def bridge_script(faults: Iterable[LabFault]) -> str:
    """Return all rules of the bridge while these faults are active; faults of other places are ignored."""
    active = list(faults)
    cuts = [line for fault in active if fault.verb == "cut" for line in _cut(fault)]
    rules = [line for fault in active if fault.verb in _RULES for line in _RULES[fault.verb](fault)]
    packets = _chain("packets", [f"{_RESOLUTION} accept", *rules])
    forward = _chain(
        "forward", ["type filter hook forward priority 0; policy accept;", *cuts, "ether type { ip, ip6 } goto packets"]
    )
    return f"{_emptied('bridge')}table bridge {_TABLE} {{\n{packets}{forward}}}\n"


def inlet_script(interface: str = "", cache: str = "") -> str:
    """Return all rules of one namespace: the interface lets in nothing, and nothing reaches the address `cache`; empty:
    everything does. Packets are dropped on input, because a sender would get an error (EPERM) for a drop on output."""
    if not interface and not cache:
        return _emptied("inet")
    hook = "type filter hook prerouting priority 0; policy accept;"
    cuts = [f'iifname "{interface}" drop'] if interface else []
    cuts += [f"ip daddr {cache} drop"] if cache else []
    return f"{_emptied('inet')}table inet {_TABLE} {{\n{_chain('inlet', [hook, f'{_RESOLUTION} accept', *cuts])}}}\n"


def service_script(vip: str, servers: Sequence[str]) -> str:
    """Return the rules by which a node translates the DNS Service's address `vip` to one of these servers, drawn for
    each flow, as kube-proxy's do; without servers none."""
    if not servers:
        return _emptied("ip")
    drawn = ", ".join(f"{number} : {server}" for number, server in enumerate(servers))
    to = f"dnat to numgen random mod {len(servers)} map {{ {drawn} }}"
    translate = _chain("translate", [f"meta l4proto {{ tcp, udp }} th dport 53 {to}"])
    hooks = (
        _chain(name, [f"type nat hook {hook} priority -100; policy accept;", f"ip daddr {vip} goto translate"])
        for name, hook in (("forwarded", "prerouting"), ("own", "output"))
    )
    return f"{_emptied('ip')}table ip {_TABLE} {{\n{translate}{''.join(hooks)}}}\n"


def find_nft() -> str | None:
    """Return the path of the program nft, None where it is missing. It is often not in an ordinary user's PATH."""
    return shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")


def load_rules(script: str, network: int | None, timeout: float = NFT_TIMEOUT) -> None:
    """Load a script inside that network namespace (None: the caller's own). Raises FaultError where nft is missing,
    refuses the script or takes longer than `timeout` seconds."""
    nft = find_nft()
    if nft is None:
        raise FaultError("this needs the program nft: install the Debian package nftables")
    run = partial(
        subprocess.run, [nft, "-f", "-"], input=script, capture_output=True, text=True, timeout=timeout, check=False
    )
    try:
        done = within(network, run)
    except subprocess.TimeoutExpired:
        raise FaultError(f"nft did not load the rules within {timeout:g} s") from None
    if done.returncode != 0:
        raise FaultError(f"nft refused the rules: {' '.join(done.stderr.split())[:300]}")


def _emptied(family: str) -> str:
    """Delete the table. It is made first, because it is an error to delete one that does not exist."""
    return f"table {family} {_TABLE}\ndelete table {family} {_TABLE}\n"


def _chain(name: str, lines: Iterable[str]) -> str:
    return f"  chain {name} {{\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"


def _way(fault: LabFault) -> str:
    source = "" if fault.source in (ANY, "") else f'iifname "{fault.source}" '
    target = "" if fault.target == ANY else f'oifname "{fault.target}" '
    return source + target


def _cut(fault: LabFault) -> list[str]:
    return [f'iifname "{fault.target}" drop', f'oifname "{fault.target}" drop']


def _loss(fault: LabFault) -> list[str]:
    dice = "" if fault.amount >= 100 else f"numgen random mod 100000 < {round(fault.amount * 1000)} "
    return [f"{_way(fault)}{dice}drop"]


def _mtu(fault: LabFault) -> list[str]:
    size = round(fault.amount)
    return [f"{_way(fault)}ip length > {size} drop", f"{_way(fault)}ip6 length > {max(size - _IP6_HEADER, 0)} drop"]


def _port(fault: LabFault) -> list[str]:
    return [f"{_way(fault)}tcp dport {fault.amount:.0f} drop"]


def _family(fault: LabFault) -> list[str]:
    return [f"{_way(fault)}ether type {_ETHER_TYPES[round(fault.amount)]} drop"]


_RULES: dict[str, Callable[[LabFault], list[str]]] = {
    "drop": lambda fault: [f"{_way(fault)}drop"],
    "loss": _loss,
    "udp": lambda fault: [f"{_way(fault)}meta l4proto udp drop"],
    "port": _port,
    "family": _family,
    "mtu": _mtu,
    "dns": lambda fault: [f"{_way(fault)}udp dport 53 drop"],
    "upstream": lambda fault: [f'oifname "{fault.target}" drop'],
}

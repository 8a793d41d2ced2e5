"""What the routing table says of sizes; with routes made in a namespace."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kubesonar.net.kernel.route_mtu import route_mtu
from tests.programs import found

ASKED = "import sys; from kubesonar.net.kernel.route_mtu import route_mtu; print(*map(route_mtu, sys.argv[1:]))"
LINK = "ip link set lo up; ip link add d0 type veth peer name d1; ip link set d1 up; ip link set d0 up mtu 1500; "


def asked(commands: str, *addresses: str) -> list[int]:
    """What is said in a namespace of its own after these commands."""
    for tool in ("ip", "unshare"):
        found(tool)
    script = f'{LINK}{commands}; exec "$0" "$@"'
    made = ("unshare", "-Urn", "sh", "-ec", script, sys.executable, "-c", ASKED, *addresses)
    done = subprocess.run(made, capture_output=True, text=True, timeout=30, check=False)
    if "unshare" in done.stderr or "RTNETLINK" in done.stderr:
        pytest.skip(f"no namespaces with links can be made here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return [int(text) for text in done.stdout.split()]


def test_routes_say_how_big_packets_may_be_each_for_itself() -> None:
    commands = (
        "ip addr add 10.5.0.1/16 dev d0; ip route add 10.6.0.0/16 via 10.5.0.2 mtu 1450; "
        "ip route add 10.6.7.0/24 via 10.5.0.2; ip route add default via 10.5.0.2 mtu lock 1400"
    )
    assert asked(commands, "10.6.1.1", "10.6.7.1", "10.5.0.9", "192.0.2.1") == [1450, 0, 0, 1400]


def test_an_ipv6_route_or_its_link_says_so() -> None:
    commands = (
        "ip addr add fd05::1/64 dev d0 nodad; ip route add fd06::/64 via fd05::2 mtu 1420; "
        "echo 1460 >/proc/sys/net/ipv6/conf/d0/mtu"
    )
    assert asked(commands, "fd06::1", "fd05::9") == [1420, 1460]


def test_where_nothing_leads_nothing_is_said() -> None:
    assert asked("true", "10.6.1.1", "fd06::1") == [0, 0]
    assert route_mtu("127.0.0.1") == 0

"""Addresses of interfaces, against what other parts of the kernel say."""

from __future__ import annotations

import socket
from ipaddress import ip_interface
from pathlib import Path

from kubesonar.net.kernel.interface_addresses import interface_addresses, interface_mtus
from kubesonar.net.own_addresses import is_own


def test_loopback_and_all_others_are_there_with_their_prefixes() -> None:
    found = interface_addresses()
    assert "127.0.0.1/8" in found["lo"]
    assert set(found) <= {name for _, name in socket.if_nameindex()}
    addresses = [ip_interface(text) for texts in found.values() for text in texts]
    assert all(is_own(str(each.ip)) for each in addresses if not each.ip.is_link_local)


def test_the_mtu_of_each_interface_is_what_sysfs_says() -> None:
    found = interface_mtus()
    assert set(found) == {name for _, name in socket.if_nameindex()}
    assert found["lo"] == int(Path("/sys/class/net/lo/mtu").read_text())


def test_asking_often_leaves_nothing_open() -> None:
    interface_addresses()
    before = _open_files()
    for _ in range(300):
        interface_addresses()
    assert _open_files() == before


def _open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])

"""The kernel's counters as proc(5) has them, and what is left of them where files lack or are strange."""

from pathlib import Path

import pytest

from kubesonar.model import Saturation
from kubesonar.runtime.kernel_counters import read_saturation

CONNTRACK = """entries  clashres found invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error
000000ff  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002 0000000a 00000001 00000000
000000ff  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000010 00000000 00000000
"""
SNMP = """Ip: Forwarding DefaultTTL
Ip: 1 64
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors
Udp: 100 1 70 200 60 4 1
UdpLite: InDatagrams RcvbufErrors
UdpLite: 9 9
"""
SNMP6 = "Ip6InReceives 5\nUdp6InDatagrams                 	7\nUdp6RcvbufErrors 3\nUdp6SndbufErrors 1\n"
SOFTNET = "0000a1b2 0000000b 00000001 00000000\n00000001 00000001 00000000 00000000\n"
FILES = {
    "proc/net/stat/nf_conntrack": CONNTRACK,
    "proc/net/snmp": SNMP,
    "proc/net/snmp6": SNMP6,
    "proc/net/softnet_stat": SOFTNET,
    "proc/sys/net/netfilter/nf_conntrack_count": "255\n",
    "proc/sys/net/netfilter/nf_conntrack_max": "131072\n",
}


def tree(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_counters_are_summed_over_cpus_and_families(tmp_path: Path) -> None:
    assert read_saturation(7.0, tree(tmp_path, FILES)) == Saturation(7.0, 0.0, 255, 131072, 26, 1, 2, 63, 5, 12)


def test_a_kernel_that_tells_nothing_is_unknown(tmp_path: Path) -> None:
    assert read_saturation(7.0, str(tmp_path)) == Saturation(7.0, 0.0)


def test_without_ipv6_the_counters_are_those_of_ipv4(tmp_path: Path) -> None:
    files = {name: text for name, text in FILES.items() if name != "proc/net/snmp6"}
    assert read_saturation(7.0, tree(tmp_path, files)).udp_receive_drops == 60


@pytest.mark.parametrize(
    "text", ["", "\n", "one\n", "drop insert_failed\n", "drop\nxyz\n", "\0\xff", "Udp:\nUdp: x y\n"]
)
def test_strange_files_are_unknown(tmp_path: Path, text: str) -> None:
    assert read_saturation(7.0, tree(tmp_path, dict.fromkeys(FILES, text))) == Saturation(7.0, 0.0)


def test_the_kernel_of_this_machine_tells_of_udp_and_of_its_cpus() -> None:
    counted = read_saturation(7.0)
    assert counted.udp_receive_drops is not None
    assert counted.softnet_drops is not None

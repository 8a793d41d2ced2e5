"""What a person may write, what it means, and what is answered to the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.diagnosis.parts.table import PARTS
from kubesonar.lab.faults import VERBS, FaultError, LabFault, parse
from kubesonar.lab.network.firewall import bridge_script, inlet_script, load_rules, service_script
from kubesonar.lab.topology import LabPlan, plan_lab

LAB = plan_lab(3)
RESOLVING = plan_lab(3, dns=True)
COLLECTING = plan_lab(3, collectors=2)
EXAMPLES = (
    ("cut node-3", "node", "node-3"),
    ("drop node-1>node-2", "pair", "node-1>node-2"),
    ("drop *>node-2", "node_in", "node-2"),
    ("drop node-2>*", "node_out", "node-2"),
    ("drop *>dns-1", "dns_server", "dns-1"),
    ("loss *>api 10", "api_server", "api"),
    ("loss node-1>node-2 0.5", "pair", "node-1>node-2"),
    ("udp node-1>node-2", "pair_udp", "node-1>node-2"),
    ("family node-1>node-2 ipv6", "pair_family", "node-1>node-2 ipv6"),
    ("family *>node-2 ipv4", "node_family", "node-2 ipv4"),
    ("port node-1>node-2 tcp/7473", "pair_port", "node-1>node-2 tcp/7473"),
    ("mtu node-1>node-2 1400", "pair_mtu", "node-1>node-2"),
    ("podnet node-1", "pod_network", "node-1"),
    ("rate node-1 1000", "link_rate", "node-1"),
    ("kill node-1", "agent_gone", "node-1"),
    ("pause node-1", "agent_frozen", "node-1"),
    ("resume node-1", "", "node-1"),
    ("dns dns-2 udp", "dns_udp", "dns-2"),
    ("vip node-2", "dns_node", "node-2>dns"),
    ("cache node-2", "dns_cache", "node-2"),
    ("upstream", "dns_upstream", "upstream"),
    ("state node-1 draining", "", "node-1"),
    ("clear", "", ""),
)


@pytest.mark.parametrize(("text", "row", "subject"), EXAMPLES)
def test_every_verb_is_read_written_and_names_its_part(text: str, row: str, subject: str) -> None:
    fault = parse(text, RESOLVING)
    assert (fault.text, fault.row, fault.subject) == (text, row, subject)


def test_the_examples_cover_the_table_and_every_row_is_a_part() -> None:
    assert {text.split()[0] for text, _, _ in EXAMPLES} == {verb.name for verb in VERBS}
    parts = {part.name for part in PARTS}
    assert {row for _, row, _ in EXAMPLES if row} <= parts


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'fault: got "", expected one of: cut PLACE; drop A>B; '),
        ("brake node-1", 'fault: got "brake node-1", expected one of: cut PLACE; '),
        ("cut", 'fault: got "cut", expected: cut PLACE (nothing passes its link, either way)'),
        ("cut node-1 node-2", "expected: cut PLACE"),
        ("cut node-9", 'node: got "node-9", expected one of node-1, node-2, node-3'),
        ("cut dns-1", "expected one of node-1, node-2, node-3"),
        ("drop node-1", 'A>B: got "node-1", expected two different ends'),
        ("drop node-1>node-1", "two different ends"),
        ("drop *>*", "two different ends"),
        (
            "drop node-1>nobody",
            'B: got "nobody", expected one of node-1, node-2, node-3, dns-1, dns-2, api, ingress, pager, *',
        ),
        ("loss node-1>node-2 101", 'percent: got "101", expected a number from 0.1 to 100'),
        ("loss node-1>node-2 nan", 'percent: got "nan"'),
        ("family node-1>node-2 ipv5", 'family: got "ipv5", expected one of ipv4, ipv6'),
        ("port node-1>node-2 80", 'port: got "80", expected tcp/ and a number'),
        ("port node-1>node-2 tcp/65536", "expected a number from 1 to 65535"),
        ("mtu node-1>node-2 1500", "expected a number from 68 to 1499"),
        ("rate node-1 999", 'kbit/s: got "999", expected a number from 1000 to 1000000'),
        ("vip node-1", "fault vip: this lab has no DNS Service, caches and upstream; start it with --dns"),
        ("upstream", "start it with --dns"),
        ("dns api udp", "DNS server: got"),
        ("dns dns-1 tcp", 'protocol: got "tcp", expected one of udp'),
        ("state node-1 other", 'state: got "other", expected one of serving, starting'),
        ("cut " + "x" * 10_000, "fault: got "),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FaultError) as refusal:
        parse(text, LAB)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600


_WORDS = [*(verb.name for verb in VERBS), *LAB.stations, "node-1>node-2", "*>api", "tcp/1", "udp", "1400", "draining"]


_ALL_RULES = bridge_script(parse(text, RESOLVING) for text, _, _ in EXAMPLES)


@pytest.mark.parametrize("plan", [LAB, RESOLVING], ids=["plain", "with-dns"])
@given(
    text=st.text()
    | st.lists(st.sampled_from(_WORDS) | st.text(max_size=8), max_size=4).map(" ".join)
    | st.tuples(st.sampled_from(EXAMPLES), st.text(max_size=3)).map(lambda drawn: drawn[0][0] + drawn[1])
)
def test_any_text_is_a_fault_or_refused_and_never_reaches_nft_as_it_is(plan: LabPlan, text: str) -> None:
    try:
        fault = parse(text, plan)
    except FaultError:
        return
    assert parse(fault.text, plan) == fault
    assert set(bridge_script([fault])) <= set(_ALL_RULES + "0123456789")


def read(text: str) -> LabFault:
    return parse(text, LAB)


def test_the_rules_are_replaced_whole() -> None:
    script = bridge_script([read("mtu node-1>node-2 1400"), read("cut node-3")])
    assert script.startswith("table bridge lab\ndelete table bridge lab\ntable bridge lab {\n")
    assert 'iifname "node-1" oifname "node-2" ip length > 1400 drop' in script
    assert 'iifname "node-1" oifname "node-2" ip6 length > 1360 drop' in script
    assert "node-" not in bridge_script([])
    assert inlet_script() == "table inet lab\ndelete table inet lab\n"


def test_neighbours_are_found_before_anything_but_a_cut_is_dropped() -> None:
    packets, forward = bridge_script([read("drop node-1>node-2"), read("cut node-3")]).split("chain forward")
    assert packets.index("nd-neighbor-solicit") < packets.index("drop")
    assert forward.index('"node-3" drop') < forward.index("goto packets")


@pytest.mark.parametrize(
    "text",
    ["cut collector-2", "kill collector-1", "rate collector-1 2000", "pause collector-1", "resume collector-2"],
)
def test_a_collector_that_is_away_or_slow_makes_no_part_of_the_network_sick(text: str) -> None:
    fault = parse(text, COLLECTING)
    assert (fault.text, fault.row) == (text, "")


@pytest.mark.parametrize("text", ["podnet collector-1", "state collector-1 draining"])
def test_what_only_a_node_can_suffer_no_collector_can(text: str) -> None:
    with pytest.raises(FaultError, match=r"expected one of node-1, node-2, node-3\Z"):
        parse(text, COLLECTING)


def test_a_node_translates_the_service_s_address_to_its_servers_or_to_none() -> None:
    script = service_script("10.96.0.10", ["10.90.0.53", "10.90.0.54"])
    assert "dnat to numgen random mod 2 map { 0 : 10.90.0.53, 1 : 10.90.0.54 }" in script
    assert service_script("10.96.0.10", []) == "table ip lab\ndelete table ip lab\n"


def test_a_mute_cache_and_a_cut_pod_network_are_rules_of_one_namespace() -> None:
    script = inlet_script("pods", "169.254.20.10")
    assert 'iifname "pods" drop' in script
    assert "ip daddr 169.254.20.10 drop" in script


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("exec sleep 600", "nft did not load the rules within 0.2 s"),
        ("cat >/dev/null; echo 'Error: syntax\nerror' >&2; exit 1", "nft refused the rules: Error: syntax error"),
    ],
)
def test_rules_that_are_not_loaded_are_refused_in_one_sentence(
    program: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nft = tmp_path / "nft"
    nft.write_text(f"#!/bin/sh\n{program}\n")
    nft.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(FaultError, match=f"^{sentence}$"):
        load_rules("flush ruleset", None, timeout=0.2 if "sleep" in program else 30.0)

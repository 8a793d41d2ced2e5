import pytest

from kubesonar.discovery.self_lookup import recognise
from kubesonar.model import Member, Network, Roster

ROSTER = Roster(
    "1",
    (
        Member("a", "n1", ("10.0.0.1", "fd00::1"), 7473),
        Member("a-host", "n1", ("192.0.2.1",), 7474, Network.HOST),
        Member("b", "n2", ("10.0.0.2",), 7473),
        Member("gone", "n3", (), 7473),
    ),
)


def name_of(name: str, *addresses: str, port: int = 7473) -> str | None:
    found = recognise(ROSTER, name, addresses, port)
    return found.name if found else None


def test_the_name_goes_before_the_address() -> None:
    assert name_of("b", "10.0.0.1") == "b"


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1", "FD00:0::1"])
def test_else_the_own_address_in_either_family_and_any_spelling(address: str) -> None:
    assert name_of("node-1.example", address) == "a"


def test_agents_of_both_networks_on_one_host_are_told_apart_by_their_port() -> None:
    assert name_of("n1", "192.0.2.1", port=7474) == "a-host"
    assert name_of("n1", "192.0.2.1", port=7473) is None


def test_who_is_in_doubt_is_nobody() -> None:
    assert name_of("x") is None
    assert name_of("x", "10.0.0.1", "10.0.0.2") is None
    assert name_of("x", "not an address") is None


def test_without_addresses_the_routing_table_tells() -> None:
    here = Member("here", "n9", ("127.0.0.1",), 7473)
    roster = Roster("2", (*ROSTER.members, here))
    assert recognise(roster, "x", (), 7473) == here
    assert recognise(roster, "x", (), 7999) is None

import pytest

from kubesonar.discovery.self_lookup import recognise, with_self
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
    found = recognise(ROSTER, Member(name, "n8", (), port), addresses)
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
    assert recognise(roster, Member("x", "n8", (), 7473), ()) == here
    assert recognise(roster, Member("x", "n8", (), 7999), ()) is None


def test_an_identity_goes_before_an_address_whatever_the_name() -> None:
    found = recognise(ROSTER, Member("x", "n2", (), 7473), ("10.0.0.1",))
    assert found is not None and found.name == "b"


def test_a_roster_names_a_member_and_only_the_member_knows_its_epoch() -> None:
    roster, own = with_self(ROSTER, Member("host-name", "n2", (), 7473, epoch=5), ())
    assert own == Member("b", "n2", ("10.0.0.2",), 7473, epoch=5)
    assert roster.members == (*ROSTER.members[:2], own, ROSTER.members[3])


def test_a_member_completes_a_roster_that_knows_addresses_only() -> None:
    by_dns = Roster("dns", tuple(Member(f"10.0.0.{n}", f"10.0.0.{n}", (f"10.0.0.{n}",), 7473) for n in (1, 2)))
    roster, own = with_self(by_dns, Member("pod-x", "n2", (), 7473, zone="z", epoch=5), ("10.0.0.2",))
    assert own == Member("10.0.0.2", "n2", ("10.0.0.2",), 7473, zone="z", epoch=5)
    assert roster.members == (by_dns.members[0], own)


def test_a_roster_without_this_member_stays_as_it_is() -> None:
    me = Member("x", "n8", (), 7473, epoch=5)
    assert with_self(ROSTER, me, ()) == (ROSTER, me)


def test_who_was_told_its_name_is_not_the_one_that_had_its_address_before() -> None:
    assert recognise(ROSTER, Member("x", "x", (), 7473), ("10.0.0.2",), told=True) is None
    known = Member("b-renamed", "x", ("10.0.0.2",), 7473)
    found = recognise(ROSTER, known, ("10.0.0.2",), told=True)
    assert found is not None and found.name == "b", "an earlier roster had it there"


def test_who_was_not_told_its_node_goes_by_its_address_where_the_roster_knows_no_more() -> None:
    by_dns = Roster("dns", (Member("10.0.0.1", "10.0.0.1", ("10.0.0.1",), 7473),))
    _, own = with_self(by_dns, Member("host", "host", (), 7473, epoch=5), ("10.0.0.1",), told=True)
    assert own.identity == "10.0.0.1/pod/7473"

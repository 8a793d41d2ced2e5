import msgspec
import pytest

from kubesonar.core.probing.plan import PlanOptions, Rhythm, Target, plan
from kubesonar.model import Kind, Member, Network, Path, Roster


def roster(count: int) -> Roster:
    return Roster(
        "1",
        tuple(
            Member(f"node-{i}-{network}", f"node-{i}", (f"10.{net}.0.{i}", f"fd00:{net}::{i}"), 7473, network)
            for i in range(1, count + 1)
            for net, network in ((1, Network.HOST), (2, Network.POD))
        ),
    )


def test_neighbours_in_the_own_network_by_every_kind_and_family() -> None:
    members = roster(3)
    checks = plan(members, members.members[0], 10, PlanOptions(), ())
    assert {check.target for check in checks} == {"node-2-host", "node-3-host"}
    assert {check.kind for check in checks} == {Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU}
    assert {check.path for check in checks} == {Path.HOST}
    assert len(checks) == 2 * 5 * 2
    assert len({check.id for check in checks}) == len(checks)
    urls = {check.request for check in checks if check.kind is Kind.HTTP and check.target == "node-2-host"}
    assert urls == {"http://10.1.0.2:7473/healthz", "http://[fd00:1::2]:7473/healthz"}


def test_a_kind_is_switched_off_by_period_zero_and_a_family_by_leaving_it_out() -> None:
    members = roster(3)
    options = PlanOptions(families=(4,), icmp=Rhythm(period=0, timeout=1))
    checks = plan(members, members.members[1], 10, options, ())
    assert len(checks) == 2 * 4
    assert not any(check.kind is Kind.ICMP or ":" in check.address for check in checks)


def test_only_k_neighbours_in_a_big_cluster() -> None:
    members = roster(100)
    checks = plan(members, members.members[0], 7, PlanOptions(), ())
    assert len({check.target for check in checks}) == 7


def test_members_without_an_address_take_nobodys_place() -> None:
    members = roster(20)
    gone = [msgspec.structs.replace(member, addresses=()) for member in members.members[1::3]]
    rest = [member for member in members.members if member.name not in {member.name for member in gone}]
    checks = plan(Roster("2", (*rest, *gone)), members.members[0], 5, PlanOptions(), ())
    assert len({check.target for check in checks}) == 5
    assert not {check.target for check in checks} & {member.name for member in gone}


def test_plain_targets() -> None:
    dns = Target(name="dns-1", kind=Kind.DNS, path=Path.DNS_POD, address="10.0.0.53", request="a.b A tcp")
    api = Target(name="api", kind=Kind.HTTP, path=Path.API_DIRECT, request="https://10.0.0.1:6443/version")
    members = roster(1)
    checks = plan(members, members.members[0], 10, PlanOptions(), (dns, api))
    assert [check.id for check in checks] == ["dns/dns_pod/dns-1/tcp", "http/api_direct/api"]
    assert checks[0].port == 53


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "x", "kind": "udp", "path": "pod", "address": "10.0.0.1"}, "kind is one of"),
        ({"name": "x", "kind": "tcp", "path": "nowhere", "address": "10.0.0.1"}, "path is one of"),
        ({"name": "x", "kind": "tcp", "path": "pod"}, "needs an address"),
        ({"name": "x", "kind": "tls", "path": "pod", "address": "10.0.0.1"}, "needs a port"),
        ({"name": "bad name", "kind": "tcp", "path": "pod", "address": "10.0.0.1"}, "name"),
    ],
)
def test_a_target_that_cannot_be_checked_is_refused(given: dict[str, str], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(given, Target)


@pytest.mark.parametrize("name", ["m1\n", "m1\x9b", "\u202em1", "m 1", ""])
def test_a_target_s_name_holds_nothing_but_what_a_name_may_hold(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="name"):
        msgspec.convert({"name": name, "kind": "tcp", "path": "external", "address": "a", "port": 1}, Target)

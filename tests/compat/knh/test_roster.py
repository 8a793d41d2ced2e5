"""Who the peers are."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from kubesonar.compat.knh.peers import Peers
from kubesonar.compat.knh.roster import (
    VANISHED,
    KnhRoster,
    ListedPeer,
    cut_off,
    in_endpoints,
    in_slices,
    terminating_in,
)
from kubesonar.compat.knh.settings import knh_settings
from kubesonar.kube.reflector_schedule import ReflectorPeriods
from kubesonar.kube.types import Endpoints, EndpointSlice
from tests.compat.knh.rig import NAMESPACE, SERVICE, behind_service, environ, ip, pod
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import client_of
from tests.notify.receivers import run
from tests.waiting import until


def slice_of(*endpoints: dict[str, Any], family: str = "IPv4") -> EndpointSlice:
    """An EndpointSlice as the API server says it."""
    tree = {"metadata": {"name": "x"}, "addressType": family, "endpoints": list(endpoints)}
    return msgspec.convert(tree, EndpointSlice)


def endpoint(address: str, node: str | None = "n", **conditions: bool | None) -> dict[str, Any]:
    found: dict[str, Any] = {"addresses": [address], "conditions": conditions}
    return found if node is None else found | {"nodeName": node}


def said(listed: list[ListedPeer]) -> list[tuple[str, bool]]:
    return [(found.peer.id, found.ready) for found in listed]


def test_ready_unready_and_leaving() -> None:
    found = in_slices(
        [
            slice_of(
                endpoint("10.0.0.1", "a", ready=True),
                endpoint("10.0.0.2", "b", ready=None),
                endpoint("10.0.0.3", "c", ready=False),
                endpoint("10.0.0.4", "d", ready=False, terminating=True),
            )
        ],
        4,
        8080,
    )
    assert said(found) == [("a@10001", True), ("b@10002", True), ("c@10003", False)]


def test_knh14_more_than_a_thousand_addresses_and_addresses_without_a_node() -> None:
    many = [slice_of(*(endpoint(f"10.{piece}.{n}.1", None) for n in range(100))) for piece in range(30)]
    found = in_slices(many, 4, 8080)
    assert len(found) == 3000
    assert found[0].peer.id == "@10001"


def test_an_address_in_two_slices_is_one_pod_and_ready_where_one_says_so() -> None:
    pieces = [slice_of(endpoint("10.0.0.1", ready=False)), slice_of(endpoint("10.0.0.1", ready=True))]
    assert said(in_slices(pieces, 4, 8080)) == [("n@10001", True)]
    assert said(in_slices(pieces[::-1], 4, 8080)) == [("n@10001", True)]


def test_only_addresses_of_our_own_family() -> None:
    pieces = [slice_of(endpoint("10.0.0.1")), slice_of(endpoint("fd00::1"), family="IPv6")]
    assert said(in_slices(pieces, 4, 8080)) == [("n@10001", True)]
    assert said(in_slices(pieces, 6, 8080)) == [("n@fd00::1", True)]


def test_names_and_nonsense_are_no_addresses() -> None:
    assert in_slices([slice_of(endpoint("example.org")), slice_of(endpoint("a"), family="FQDN")], 4, 8080) == []


def test_endpoints_with_and_without_a_node_of_either_family_and_cut_off() -> None:
    tree = {
        "metadata": {"name": "x", "annotations": {"endpoints.kubernetes.io/over-capacity": "truncated"}},
        "subsets": [
            {
                "addresses": [{"ip": "10.0.0.1", "nodeName": "a"}, {"ip": "10.0.0.2"}, {"ip": "fd00::1"}],
                "notReadyAddresses": [{"ip": "10.0.0.3", "nodeName": "c"}],
            },
            {"addresses": None},
        ],
    }
    objects = [msgspec.convert(tree, Endpoints)]
    assert said(in_endpoints(objects, 4, 8080)) == [("a@10001", True), ("@10002", True), ("c@10003", False)]
    assert said(in_endpoints(objects, 6, 8080)) == [("@fd00::1", True)]
    assert cut_off(objects)
    assert in_endpoints([msgspec.convert({"metadata": {}, "subsets": None}, Endpoints)], 4, 8080) == []


def test_a_pod_joins_when_it_is_ready_and_stays_until_it_is_gone() -> None:
    roster = KnhRoster("10.0.0.9")

    def update(ready: bool, *more: dict[str, Any]) -> list[str]:
        roster.update(0.0, in_slices([slice_of(endpoint("10.0.0.1", ready=ready), *more)], 4, 8080))
        return list(roster.peers)

    assert update(False) == []
    assert not roster.found_myself
    assert update(True, endpoint("10.0.0.9")) == ["10.0.0.1:8080"]
    assert roster.found_myself
    assert update(False) == ["10.0.0.1:8080"]
    roster.update(0.0, [])
    assert roster.peers == {}
    assert update(False) == []


QUICK = ReflectorPeriods(start=0, backoff=0.01, ceiling=0.05, poll=0.1, retry=0.1)


def test_knh11_only_the_service_of_our_namespace_is_followed(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        with ApiServer() as api:
            behind_service(api, 1, 2)
            stranger = shapes.endpoint_slice("y", SERVICE, ("p", "n", "10.9.9.9"), namespace="other")
            api.put("endpointslices", stranger)
            api.put(
                "endpointslices", shapes.endpoint_slice("z", "another", ("p", "n", "10.9.9.8"), namespace=NAMESPACE)
            )
            return [found.peer.ip for found in await first(api, tmp_path)]

    assert run(scenario()) == [ip(1), ip(2)]


def test_knh23_a_service_without_pods_empties_the_list(tmp_path: Path) -> None:
    async def scenario() -> None:
        with ApiServer() as api:
            behind_service(api, 1)
            seen: list[list[ListedPeer]] = []
            task = asyncio.create_task(follow(api, tmp_path, seen))
            await until(lambda: seen)
            api.delete("endpointslices", "service-knh-x1", NAMESPACE)
            await until(lambda: seen[-1] == [])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(scenario())


def test_rights_that_are_missing_are_said_and_slices_taken_up_once_they_are_there(tmp_path: Path, caplog: Any) -> None:
    async def scenario() -> None:
        with ApiServer() as api:
            behind_service(api, 1)
            for resource in ("endpointslices", "endpoints"):
                api.refuse("*", resource)
            seen: list[list[ListedPeer]] = []
            task = asyncio.create_task(follow(api, tmp_path, seen))
            await until(lambda: "not permitted: list endpointslices in namespace monitoring nor" in caplog.text)
            assert seen == []
            api.allow("*", "endpoints")
            await until(lambda: seen)
            assert [found.peer for found in seen[-1]] == [pod(1)]
            api.allow("*", "endpointslices")
            await until(lambda: api.asked("watch", "endpointslices"))
            behind_service(api, 1, 2)
            await until(lambda: len(seen[-1]) == 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(scenario())


async def follow(api: ApiServer, folder: Path, seen: list[list[ListedPeer]]) -> None:
    """Follows the Service until it is cancelled."""
    client = client_of(api, folder)
    try:
        await Peers(client, knh_settings(environ(1)), lambda listed, _: seen.append(listed), Random(0), QUICK).run()
    finally:
        client.close()


async def first(api: ApiServer, folder: Path) -> list[ListedPeer]:
    """What is listed first."""
    seen: list[list[ListedPeer]] = []
    task = asyncio.create_task(follow(api, folder, seen))
    await until(lambda: seen)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return seen[0]


def roster_of(*addresses: str) -> KnhRoster:
    roster = KnhRoster("10.0.0.9")
    roster.update(0.0, in_slices([slice_of(*(endpoint(address) for address in addresses))], 4, 8080), frozenset())
    return roster


def then(roster: KnhRoster, now: float, *endpoints: dict[str, Any]) -> set[str]:
    """The addresses of its peers after another list."""
    slices = [slice_of(*endpoints)]
    roster.update(now, in_slices(slices, 4, 8080), terminating_in(slices, 8080))
    return {found.ip for found in roster.peers.values()}


def test_who_terminates_is_a_peer_no_more() -> None:
    roster = roster_of("10.0.0.1", "10.0.0.2")
    assert then(roster, 1.0, endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False, terminating=True)) == {"10.0.0.1"}
    assert then(roster, 2.0, endpoint("10.0.0.1")) == {"10.0.0.1"}


def test_who_vanishes_without_having_terminated_stays_until_its_death_is_found() -> None:
    roster = roster_of("10.0.0.1", "10.0.0.2")
    assert then(roster, 1.0, endpoint("10.0.0.1")) == {"10.0.0.1", "10.0.0.2"}
    assert roster.due == 1.0 + VANISHED
    assert then(roster, 30.0, endpoint("10.0.0.1"), endpoint("10.0.0.3")) == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert then(roster, 1.0 + VANISHED, endpoint("10.0.0.1"), endpoint("10.0.0.3")) == {"10.0.0.1", "10.0.0.3"}
    assert roster.due is None


def test_who_vanished_and_is_listed_again_is_a_peer_like_any_other() -> None:
    roster = roster_of("10.0.0.1", "10.0.0.2")
    then(roster, 1.0, endpoint("10.0.0.1"))
    assert then(roster, 2.0, endpoint("10.0.0.1"), endpoint("10.0.0.2")) == {"10.0.0.1", "10.0.0.2"}
    assert roster.due is None


def test_v1_endpoints_and_an_empty_list_do_not_say_who_vanished() -> None:
    roster = roster_of("10.0.0.1", "10.0.0.2")
    roster.update(1.0, in_slices([slice_of(endpoint("10.0.0.1"))], 4, 8080), None)
    assert {found.ip for found in roster.peers.values()} == {"10.0.0.1"}
    assert then(roster_of("10.0.0.1", "10.0.0.2"), 1.0) == set()

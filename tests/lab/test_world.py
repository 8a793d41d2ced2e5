"""Every fault for real: what it breaks, what it leaves alone, and that clearing heals it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import uvloop

from kubesonar.lab.directory import Directory
from kubesonar.lab.faults import FaultError, parse
from kubesonar.lab.topology import plan_lab
from kubesonar.lab.world import MAX_FAULTS, LabWorld
from tests.lab.inside import PATIENCE, SILENCE, blocked, connects, count, in_world, needs_nft, order, passes

V4, V6 = socket.AF_INET, socket.AF_INET6


def sleep_for_ever() -> int:
    while True:
        time.sleep(60)


def eventually(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def start_agents(world: LabWorld) -> None:
    for member in world.plan.members:
        world.start(member, sleep_for_ever)


@pytest.mark.lab
@pytest.mark.parametrize("user", [False, True])
def test_in_a_healthy_world_all_reach_all_in_both_networks_and_families(user: bool) -> None:
    def body(world: LabWorld) -> None:
        places = ("node-1-host", "node-2-pod", "node-1-pod", "api")
        for source in places:
            for target in places:
                for family in (V4, V6):
                    assert passes(world, source, target, family=family), (source, target, family)
        assert passes(world, "node-1-pod", "node-2-pod", packet=1500)
        assert connects(world, "node-1-pod", "node-2-pod")

    in_world(body, user=user)


@pytest.mark.lab
@needs_nft
def test_cut_stops_a_node_both_ways_and_nobody_else() -> None:
    def body(world: LabWorld) -> None:
        order(world, "cut node-2")
        for family in (V4, V6):
            assert blocked(world, "node-1-pod", "node-2-pod", family=family)
            assert blocked(world, "node-2-host", "node-1-host", family=family)
            assert passes(world, "node-1-pod", "node-3-pod", family=family)
        assert passes(world, "node-2-host", "node-2-pod")
        order(world, "clear")
        assert eventually(lambda: passes(world, "node-1-pod", "node-2-pod"))

    in_world(body, nodes=3)


@pytest.mark.lab
@needs_nft
def test_drop_is_one_way_even_when_neighbours_are_not_yet_known() -> None:
    def body(world: LabWorld) -> None:
        order(world, "drop node-1>node-2")
        for family in (V4, V6):
            assert blocked(world, "node-1-pod", "node-2-pod", family=family)
            assert blocked(world, "node-1-host", "node-2-host", family=family)
            assert passes(world, "node-2-pod", "node-1-pod", family=family)
            assert passes(world, "node-2-host", "node-1-host", family=family)

    in_world(body)


@pytest.mark.lab
@needs_nft
def test_a_star_stands_for_everybody() -> None:
    def body(world: LabWorld) -> None:
        order(world, "drop *>node-2")
        assert blocked(world, "node-1-pod", "node-2-pod")
        assert blocked(world, "api", "node-2-host")
        assert passes(world, "node-2-pod", "node-1-pod")

    in_world(body)


@pytest.mark.lab
@needs_nft
@pytest.mark.parametrize("family", [V4, V6])
def test_loss_loses_about_its_share(family: socket.AddressFamily) -> None:
    def body(world: LabWorld) -> None:
        order(world, "loss node-1>node-2 30")
        arrived = count(world, "node-1-pod", "node-2-pod", 1000, family=family)
        assert 600 <= arrived <= 800, arrived  # seven standard deviations either side of 700
        assert count(world, "node-2-pod", "node-1-pod", 200, family=family, wait=1) == 200

    in_world(body)


@pytest.mark.lab
@needs_nft
def test_udp_and_port_leave_other_traffic_alone() -> None:
    def body(world: LabWorld) -> None:
        order(world, "udp node-1>node-2")
        assert blocked(world, "node-1-pod", "node-2-pod")
        assert connects(world, "node-1-pod", "node-2-pod")
        order(world, "clear")
        order(world, "port node-1>node-2 tcp/7473")
        assert not connects(world, "node-1-pod", "node-2-pod", wait=SILENCE)
        assert connects(world, "node-1-pod", "node-2-pod", port=7474)
        assert connects(world, "node-2-pod", "node-1-pod")
        assert passes(world, "node-1-pod", "node-2-pod")

    in_world(body)


@pytest.mark.lab
@needs_nft
@pytest.mark.parametrize(("fault", "broken", "well"), [("ipv4", V4, V6), ("ipv6", V6, V4)])
def test_one_family_is_dropped_one_way_and_the_other_is_well(
    fault: str, broken: socket.AddressFamily, well: socket.AddressFamily
) -> None:
    def body(world: LabWorld) -> None:
        order(world, f"family node-1>node-2 {fault}")
        assert blocked(world, "node-1-pod", "node-2-pod", family=broken)
        assert passes(world, "node-1-pod", "node-2-pod", family=well)
        assert passes(world, "node-2-pod", "node-1-pod", family=broken)

    in_world(body)


@pytest.mark.lab
@needs_nft
@pytest.mark.parametrize("family", [V4, V6])
def test_mtu_lets_packets_of_its_size_pass_and_not_one_byte_more(family: socket.AddressFamily) -> None:
    def body(world: LabWorld) -> None:
        order(world, "mtu node-1>node-2 1400")
        assert passes(world, "node-1-pod", "node-2-pod", packet=1400, family=family)
        assert blocked(world, "node-1-pod", "node-2-pod", packet=1401, family=family)
        assert passes(world, "node-2-pod", "node-1-pod", packet=1500, family=family)

    in_world(body)


@pytest.mark.lab
@needs_nft
def test_podnet_cuts_the_pod_network_only() -> None:
    def body(world: LabWorld) -> None:
        order(world, "podnet node-2")
        for family in (V4, V6):
            assert blocked(world, "node-1-pod", "node-2-pod", family=family)
            assert blocked(world, "node-2-pod", "node-1-pod", family=family)
            assert blocked(world, "node-2-host", "node-2-pod", family=family)
            assert passes(world, "node-1-pod", "node-2-host", family=family)
        order(world, "clear")
        assert passes(world, "node-1-pod", "node-2-pod")

    in_world(body)


@pytest.mark.lab
@needs_nft
def test_dns_is_deaf_by_udp_and_alive_by_tcp() -> None:
    def body(world: LabWorld) -> None:
        order(world, "dns dns-1 udp")
        assert count(world, "node-1-pod", "dns-1", 1, port=53) == 0
        assert connects(world, "node-1-pod", "dns-1", port=53)
        assert count(world, "node-1-pod", "dns-2", 1, port=53, wait=PATIENCE) == 1

    in_world(body)


@pytest.mark.lab
def test_rate_spreads_a_train_and_clearing_lifts_it() -> None:
    def duration(world: LabWorld, source: str, target: str) -> float:
        start = time.monotonic()
        assert count(world, source, target, 20, packet=1500, wait=PATIENCE) == 20
        return time.monotonic() - start

    def body(world: LabWorld) -> None:
        order(world, "rate node-2 1000")
        # 20 frames of 1514 bytes at 1 Mbit/s take 242 ms, of which the bucket forgives one
        assert duration(world, "node-1-pod", "node-2-pod") > 0.2
        assert duration(world, "node-2-host", "node-1-host") > 0.2
        for rate in (1500, 4000, 33_333, 100_000):  # full frames pass, whatever the kernel's ticks make of the bucket
            order(world, f"rate node-2 {rate}")
            assert count(world, "node-1-pod", "node-2-pod", 5, packet=1500, wait=PATIENCE) == 5
        order(world, "clear")
        assert world.faults == ()
        assert passes(world, "node-1-pod", "node-2-pod")

    in_world(body)


@pytest.mark.lab
@needs_nft
def test_faults_add_up_and_a_new_amount_replaces_the_old_one() -> None:
    def body(world: LabWorld) -> None:
        for text in ("loss node-1>node-2 20", "mtu node-2>node-1 1400", "loss node-1>node-2 100"):
            order(world, text)
        assert [fault.text for fault in world.faults] == ["loss node-1>node-2 100", "mtu node-2>node-1 1400"]
        assert blocked(world, "node-1-pod", "node-2-pod")
        assert blocked(world, "node-2-pod", "node-1-pod", packet=1500)

    in_world(body)


@pytest.mark.lab
def test_kill_pause_and_clear_act_on_both_agents_of_a_node() -> None:
    def body(world: LabWorld) -> None:
        start_agents(world)
        mine = [world.processes[f"node-1-{network}"] for network in ("host", "pod")]
        order(world, "pause node-1")
        assert eventually(lambda: all(state_of(each.pid) == "T" for each in mine))
        order(world, "resume node-1")
        assert eventually(lambda: all(state_of(each.pid) != "T" for each in mine))
        assert world.faults == ()
        order(world, "pause node-1")
        order(world, "kill node-1")
        assert [each.running for each in mine] == [False, False]
        assert not world.fallen
        order(world, "clear")
        assert [each.running for each in mine] == [True, True]
        mine[0].kill()
        assert [process.name for process in world.fallen] == ["node-1-host"]

    in_world(body)


@pytest.mark.lab
def test_a_killed_agent_is_started_again_from_inside_an_event_loop() -> None:
    def body(world: LabWorld) -> None:
        seen = world.directory.path / "seen"

        def agent() -> int:
            async def answer() -> None:
                await asyncio.sleep(0.01)
                seen.write_text(str(os.getpid()))

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(answer())
            return sleep_for_ever()

        async def break_and_heal() -> None:
            order(world, "kill node-1")
            seen.unlink()
            order(world, "clear")
            assert await asyncio.to_thread(eventually, seen.exists)

        world.start(world.plan.nodes[0].pod, agent)
        assert eventually(seen.exists)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(break_and_heal())
        seen.unlink()

    in_world(body)


def loopback_world(folder: Path) -> LabWorld:
    return LabWorld.build(plan_lab(2, namespaces=False), Directory(folder / "lab"))


def states(world: LabWorld) -> list[tuple[str, str]]:
    tree = msgspec.json.decode(world.directory.roster.read_bytes())
    return [(member["name"], member.get("state", "serving")) for member in tree["members"]]


def test_state_is_written_to_the_roster_and_serving_undoes_it(tmp_path: Path) -> None:
    with loopback_world(tmp_path) as world:
        order(world, "state node-2 draining")
        assert states(world)[1:] == [("node-1-pod", "serving"), ("node-2-host", "draining"), ("node-2-pod", "draining")]
        order(world, "state node-2 serving")
        assert {state for _, state in states(world)} == {"serving"}
        assert world.faults == ()


def test_on_loopback_link_faults_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with loopback_world(tmp_path) as world:
        for text in ("cut node-1", "rate node-1 1000"):
            with pytest.raises(FaultError, match=r"needs network namespaces.*loopback"):
                order(world, text)


def test_processes_start_and_end_on_loopback_too(tmp_path: Path) -> None:
    with loopback_world(tmp_path) as world:
        start_agents(world)
        pids = [process.pid for process in world.processes.values()]
        order(world, "kill node-1")
        with pytest.raises(FaultError, match="killed"):
            order(world, "pause node-1")
    assert len(pids) == 4
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not (tmp_path / "lab").exists()


def test_process_faults_need_an_agent_that_was_started(tmp_path: Path) -> None:
    with loopback_world(tmp_path) as world, pytest.raises(FaultError, match="no agent was started on node-1"):
        order(world, "kill node-1")


@pytest.mark.lab
@needs_nft
def test_the_number_of_faults_is_bounded() -> None:
    def body(world: LabWorld) -> None:
        for number in range(MAX_FAULTS):
            world.apply(msgspec.structs.replace(first, amount=number + 1))
        try:
            order(world, "cut node-1")
        except FaultError as error:
            assert "clear them first" in str(error)
        else:
            raise AssertionError("one fault too many was taken")

    first = parse("port node-1>node-2 tcp/1", plan_lab(2))
    in_world(body)

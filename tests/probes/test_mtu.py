"""The three ways in which big packets fail, on real links; and what the probe says where there is nothing to find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Check, Fault, Health, Kind, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.probes.mtu import MtuOptions, MtuProbe
from kubesonar.probes.source import ProbeSource
from tests.net.rig import rig, run, who
from tests.programs import found

LAB = Path(__file__).with_name("path_lab.py")
TOOLS = ("ip", "tc", "nft", "unshare", "sysctl")
INSIDE = ("unshare", "-Urnmp", "--fork", "--kill-child", "--mount-proc")
Seen = dict[tuple[str, str], list[Observation]]


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Every case of the lab, observed once and again."""
    for tool in TOOLS:
        found(tool)
    if subprocess.run([*INSIDE, "ip", "link", "add", "type", "veth"], capture_output=True).returncode:
        pytest.skip("no namespaces with links can be made here")
    done = subprocess.run([*INSIDE, sys.executable, str(LAB)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = (msgspec.json.decode(line, type=tuple[str, str, list[Observation]]) for line in done.stdout.splitlines())
    return {(case, address): observations for case, address, observations in rows}


both = pytest.mark.parametrize("address", ["10.9.1.2", "fd09:1::2"])


@pytest.mark.lab
@both
def test_a_path_without_a_hole_passes_the_links_mtu_and_says_what_that_does_not_prove(seen: Seen, address: str) -> None:
    for observation in seen["fine", address]:
        assert (observation.fault, observation.mtu, observation.health) == (None, 1500, Health.GOOD)
        assert "overlay" in observation.detail


@pytest.mark.lab
@both
def test_big_packets_that_vanish_are_a_black_hole_of_known_size(seen: Seen, address: str) -> None:
    for observation in seen["hole", address]:
        assert (observation.fault, observation.mtu) == (Fault.BLACK_HOLE, 1400)


@pytest.mark.lab
@both
def test_a_router_that_says_too_big_is_named(seen: Seen, address: str) -> None:
    router = "fd09::1" if ":" in address else "10.9.0.1"
    for observation in seen["told", address]:
        assert (observation.fault, observation.mtu) == (Fault.TOO_BIG, 1400)
        assert observation.detail.startswith(router)


@pytest.mark.lab
@both
def test_a_route_that_allows_less_than_the_link_is_no_hole(seen: Seen, address: str) -> None:
    """So overlays are made: links of 1,500 bytes, and routes that leave room for the outer headers."""
    for observation in seen["overlay", address]:
        assert (observation.fault, observation.mtu) == (None, 1400), observation.detail
    for observation in seen["overlay train", address]:
        train = observation.train
        assert train is not None and (train.full, train.full_sent, train.full_received) == (1400, 1, 1)


@pytest.mark.lab
@both
def test_each_train_fills_the_path_and_tells_a_lost_size_from_a_lost_packet(seen: Seen, address: str) -> None:
    router = "fd09::1" if ":" in address else "10.9.0.1"
    for case, fault, mtu, passed in (("fine", None, 0, 1), ("hole", None, 0, 0), ("told", Fault.TOO_BIG, 1400, 0)):
        for observation in seen[f"{case} train", address]:
            assert (observation.sent, observation.received, observation.fault, observation.mtu) == (7, 7, fault, mtu)
            train = observation.train
            assert train is not None and (train.full, train.full_sent, train.full_received) == (1500, 1, passed)
            assert not fault or observation.detail == f"{router} refuses 1500 bytes as too big; 1400 pass"


@pytest.mark.lab
def test_loss_of_every_size_is_no_hole(seen: Seen) -> None:
    assert all(observation.fault is None for observation in seen["lossy", "10.9.1.2"])


@pytest.mark.lab
def test_silence_to_small_ones_says_nothing_about_the_mtu(seen: Seen) -> None:
    for observation in seen["dead", "10.9.1.2"]:
        assert (observation.fault, observation.mtu) == (Fault.TIMEOUT, 0)


@pytest.mark.lab
def test_the_rate_of_a_slow_link_is_told_and_that_of_a_fast_one_is_not(seen: Seen) -> None:
    slow = seen["slow", "10.9.1.2"][0].train
    fast = seen["fine", "10.9.1.2"][0].train
    assert slow is not None and slow.rate is not None and 0.8e6 < slow.rate < 1.2e6
    assert fast is not None and fast.rate is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_ceiling_ends_the_search_where_the_link_takes_more(address: str) -> None:
    async def scenario() -> Observation:
        with rig(address) as (engine, responder):
            return await _probe(engine, MtuOptions(ceiling=4000))(_check(address, responder))

    observation = run(scenario())
    assert (observation.fault, observation.mtu, observation.received) == (None, 4000, 1)


def test_a_link_that_takes_less_than_expected_is_a_local_limit() -> None:
    async def scenario() -> Observation:
        with rig() as (engine, responder):
            return await _probe(engine, MtuOptions(ceiling=1500, expect=9000))(_check("127.0.0.1", responder))

    observation = run(scenario())
    assert observation.fault is Fault.TOO_BIG
    assert observation.detail.startswith("local limit")


def test_a_refusal_is_no_statement_about_the_mtu() -> None:
    async def scenario() -> Observation:
        with rig() as (engine, responder):
            check = _check("127.0.0.1", responder)
            responder.close()
            return await _probe(engine, MtuOptions())(check)

    observation = run(scenario())
    assert (observation.fault, observation.mtu) == (Fault.REFUSED, 0)


def test_its_trains_are_not_published_by_the_responder() -> None:
    async def scenario() -> list[object]:
        records: list[object] = []
        ring = Keyring()
        responder = UdpResponder(
            ["127.0.0.1"], 0, me=lambda: who("b"), ring=lambda: ring, publish=lambda record: records.append(record)
        )
        engine = TrainSender(Sender(who("a"), 1), lambda: ring)
        await _probe(engine, MtuOptions())(_check("127.0.0.1", responder))
        engine.close()
        responder.close()
        return records

    assert run(scenario()) == []


def _probe(engine: TrainSender, options: MtuOptions) -> MtuProbe:
    return MtuProbe(ProbeSource("a", Network.POD), engine, engine, options)


def _check(address: str, responder: UdpResponder) -> Check:
    return Check(f"mtu/pod/b/{address}", Kind.MTU, Way.POD, "b", address, responder.port, timeout=5.0)

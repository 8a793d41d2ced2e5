"""Observations of trains, from both ends."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.wire.codec import CURRENT
from kubesonar.core.wire.identity import NAMED, WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Check, Fault, Health, Kind, Member, Network, Observation, Path, Roster, Side, StampSource
from kubesonar.net.udp.token_bucket import RateLimits
from kubesonar.net.udp.train_records import TrainRecord
from kubesonar.net.udp.train_sender import LARGEST_PACKET
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.udp import TrainObserver, UdpOptions, UdpProbe, responder_observation
from tests.net.rig import rig, run

ME, PEER = ProbeSource("node-1", Network.POD), ProbeSource("node-2", Network.HOST)
BASE = 0xFFFFFFFE


def check(port: int, address: str = "127.0.0.1", target: str = "node-2", timeout: float = 5.0) -> Check:
    return Check(f"udp/pod/{target}/{address}", Kind.UDP, Path.POD, target, address, port, timeout=timeout)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_ends_report_the_same_train(address: str) -> None:
    async def scenario() -> tuple[Observation, TrainRecord]:
        records: list[TrainRecord] = []
        with rig(address, publish=records.append) as (engine, responder):
            observation = await UdpProbe(ME, engine, UdpOptions(), base=100)(check(responder.port, address))
        return observation, records[0]

    ours, record = run(scenario())
    theirs = responder_observation(record, PEER, "node-1")
    assert (ours.health, ours.sent, ours.received, ours.side) == (Health.GOOD, 7, 7, Side.SOURCE)
    assert ours.rtt is not None and ours.rtt.clock is StampSource.KERNEL
    assert 0 < ours.rtt.best <= ours.rtt.mean <= ours.rtt.worst
    assert ours.train is not None and theirs.train is not None
    assert (ours.train.number, ours.train.seen, ours.train.size) == (100, 7, 64)
    assert (theirs.train.number, theirs.train.seen, theirs.train.size) == (100, 7, 64)
    assert [(train.full, train.full_sent, train.full_received) for train in (ours.train, theirs.train)] == [
        (LARGEST_PACKET, 1, 1)
    ] * 2
    assert (theirs.check.id, theirs.check.target, theirs.source) == ("udp/from/node-1", "node-1", "node-2")
    assert (theirs.side, theirs.sent, theirs.received, theirs.health) == (Side.RESPONDER, 7, 7, Health.GOOD)
    assert (theirs.check.path, theirs.network, theirs.address) == (Path.HOST, Network.HOST, address)
    assert sorted(tally.port for tally in ours.train.ports) == sorted(tally.port for tally in theirs.train.ports)


def test_trains_count_up_by_target_in_32_bits_and_never_share_a_number() -> None:
    async def scenario() -> list[int]:
        with rig("127.0.0.1", "::1") as (engine, responder):
            probe = UdpProbe(ME, engine, UdpOptions(train=1), BASE)
            checks = [check(responder.port), check(responder.port, "::1"), check(responder.port)]
            checks.append(check(responder.port, target="node-3"))
            trains = [(await probe(each)).train for each in checks]
        return [train.number for train in trains if train]

    assert run(scenario()) == [BASE, BASE + 1, 0, BASE]


def test_a_refusal_accuses_and_a_mismatch_does_not() -> None:
    async def scenario() -> list[Observation]:
        with rig(asks_with=Keyring({1: bytes(16)}, 1)) as (engine, responder):
            probe = UdpProbe(ME, engine, UdpOptions(), 1)
            stranger = await probe(check(responder.port, timeout=0.4))
            responder.close()
            return [stranger, await probe(check(responder.port, timeout=0.4))]

    stranger, refusal = run(scenario())
    assert (stranger.fault, stranger.health) == (Fault.MISMATCH, Health.UNKNOWN)
    assert (refusal.fault, refusal.health) == (Fault.REFUSED, Health.BAD)
    assert (refusal.sent, refusal.received, refusal.rtt) == (7, 0, None)


def test_partial_loss_is_no_fault() -> None:
    async def scenario() -> Observation:
        with rig(limits=RateLimits(rate=0.001, burst=5)) as (engine, responder):
            return await UdpProbe(ME, engine, UdpOptions(), 1)(check(responder.port, timeout=0.4))

    observation = run(scenario())
    assert observation.fault in (None, Fault.LOCAL)  # local: this machine was too busy to tell
    assert (observation.sent, observation.received) == (7, 4)
    assert observation.train is not None and observation.train.full_received == 1
    assert [tally.received for tally in observation.train.ports] == [1] * 4 + [0] * 3


@pytest.mark.parametrize(("asks_in", "answers_in"), [(3, 4), (4, 3), (3, 3)])
def test_a_member_of_the_version_before_gets_no_datagram_that_it_would_count_wrongly(
    asks_in: int, answers_in: int
) -> None:
    """The first train to an older member is a mismatch, which accuses nobody; all others are as that member knows."""

    async def scenario() -> tuple[list[Observation], list[TrainRecord]]:
        records: list[TrainRecord] = []
        with rig(asks_in=asks_in, answers_in=answers_in, publish=records.append) as (engine, responder):
            probe = UdpProbe(ME, engine, UdpOptions(), 1)
            found = [await probe(check(responder.port)) for _ in range(3)]
        return found, records

    found, records = run(scenario())
    if asks_in > answers_in:
        assert (found[0].fault, found[0].health) == (Fault.MISMATCH, Health.UNKNOWN)
        found = found[1:]
    assert {(one.sent, one.received, one.fault) for one in found} == {(8, 8, None)}
    assert {one.train and one.train.full_sent for one in found} == {0}
    assert {(record.announced, record.received, record.full) for record in records} == {(8, 8, 0)}


def test_each_source_port_has_its_turn_with_the_full_size_datagram() -> None:
    async def scenario() -> list[Observation]:
        with rig() as (engine, responder):
            probe = UdpProbe(ME, engine, UdpOptions(), 1)
            return [await probe(check(responder.port)) for _ in range(8)]

    trains = [one.train for one in run(scenario()) if one.train]
    small = [{tally.port for tally in train.ports} for train in trains]
    every = set().union(*small)
    assert len(every) == 8
    assert set().union(*(every - ports for ports in small)) == every


def test_the_own_loopback_and_a_train_of_one_have_no_full_size_datagram() -> None:
    async def scenario() -> list[Observation]:
        with rig() as (engine, responder):
            own = msgspec.structs.replace(check(responder.port), path=Path.LOOPBACK)
            one = UdpProbe(ME, engine, UdpOptions(train=1), 1)
            return [await UdpProbe(ME, engine, UdpOptions(), 1)(own), await one(check(responder.port))]

    own, one = run(scenario())
    assert [(found.sent, found.train and found.train.full) for found in (own, one)] == [(8, 0), (1, 0)]


def test_silence_of_the_own_responder_is_local() -> None:
    async def scenario() -> list[Observation]:
        with rig(limits=RateLimits(rate=0.001, burst=0.001)) as (engine, responder):
            probe = UdpProbe(ME, engine, UdpOptions(), 1)
            peer = check(responder.port, timeout=0.3)
            return [await probe(peer), await probe(msgspec.structs.replace(peer, path=Path.LOOPBACK))]

    peer, own = run(scenario())
    assert (peer.fault, peer.health) == (Fault.TIMEOUT, Health.BAD)
    assert (own.fault, own.health) == (Fault.LOCAL, Health.UNKNOWN)


def test_trains_are_observed_of_those_whom_the_roster_names() -> None:
    def record(sender: WireIdentity, version: int = CURRENT) -> TrainRecord:
        alias = sender.alias if version > NAMED else b""
        return TrainRecord(sender.source(version), alias, 1, 5, 8, 3, 0, 0, 3, 64, 0.0, 1e9, "192.0.2.1", 4, ())

    seen: list[Observation] = []
    trains = TrainObserver(ME, seen.append)
    me, other = Member("node-1", "node-1", (), 7473), Member("pod-2", "node-2", ("10.0.0.2",), 7473)
    by_address = msgspec.structs.replace(other, name="10.0.0.2", node="10.0.0.2")
    trains.arrived(record(WireIdentity.of(other)))
    assert (seen, trains.strangers) == ([], 1)
    trains.roster_changed(Roster("1", (other, me)), me)
    trains.arrived(record(WireIdentity.of(other)))
    trains.arrived(record(WireIdentity.of(other), NAMED))
    trains.arrived(record(WireIdentity.of(me)))  # its own train over loopback
    trains.roster_changed(Roster("1", (by_address, me)), me)
    trains.arrived(record(WireIdentity.of(other)))
    assert ([one.check.target for one in seen], trains.strangers) == (["pod-2", "pod-2", "10.0.0.2"], 1)
    assert seen[0].detail == "3 of 8 arrived"

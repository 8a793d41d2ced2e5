"""The UDP engine against real responders, refusals and strangers on loopback."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Fault, StampSource
from kubesonar.net.udp.train import TrainResult
from kubesonar.net.udp.train_sender import TrainSender
from tests.net.rig import ANSWERER, ASKER, open_files, rig, run, starve, who
from tests.waiting import until

KEY = Keyring({1: bytes(16)}, 1)
OTHER_KEY = Keyring({2: bytes(range(16))}, 2)
PATIENT = 10.0
IMPATIENT = 0.15

both = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


async def ask(engine: TrainSender, port: int, address: str = "127.0.0.1", **how: float) -> TrainResult:
    figures = {"number": 1, "count": 8, "size": 64, "timeout": PATIENT, **how}
    return await engine.train(address, port, **figures)  # type: ignore[arg-type]


@contextmanager
def silent(address: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A socket that takes everything and says nothing, unless the test does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as deaf:
        deaf.bind((address, 0))
        deaf.settimeout(5)
        yield deaf


@both
def test_a_train_is_answered_and_measured_by_the_kernels_clock(address: str) -> None:
    async def scenario() -> TrainResult:
        with rig(address, asks_with=KEY, answers_with=KEY) as (engine, responder):
            return await ask(engine, responder.port, address)

    result = run(scenario())
    assert (result.sent, result.received, result.train.seen, result.fault()) == (8, 8, 8, (None, ""))
    assert (result.train.duplicates, result.train.late, result.errors) == (0, 0, ())
    assert result.clock is StampSource.KERNEL
    assert len(result.rtts) == 8 and all(0 < rtt < 1 for rtt in result.rtts)
    assert [(tally.sent, tally.received) for tally in result.train.ports] == [(1, 1)] * 8
    assert result.train.rate is None


@both
def test_2000_of_2000_answers_are_seen_with_transmit_stamps_while_refusals_arrive(address: str) -> None:
    """The event loop stops watching a socket at its first POLLERR: stamps and ICMP errors must not go by it."""

    async def scenario() -> tuple[list[TrainResult], list[TrainResult]]:
        with silent(address) as gone:
            dead = gone.getsockname()[1]
        with rig(address) as (engine, responder):
            answered, refused = [], []
            for number in range(250):
                answer, refusal = await asyncio.gather(
                    ask(engine, responder.port, address, number=number),
                    ask(engine, dead, address, number=number, count=2, timeout=0.0 if number % 25 else 1.0),
                )
                answered.append(answer)
                refused.append(refusal)
            return answered, refused

    answered, refused = run(scenario())
    assert sum(result.received for result in answered) == 2000
    assert sum(len(result.rtts) for result in answered if result.clock is StampSource.KERNEL) == 2000
    assert any(result.fault()[0] is Fault.REFUSED for result in refused)


@both
def test_a_refusal_is_told_with_who_said_so_and_without_waiting(address: str) -> None:
    async def scenario() -> TrainResult:
        with silent(address) as gone:
            port = gone.getsockname()[1]
        with rig() as (engine, _):
            return await ask(engine, port, address, count=2)

    result = run(scenario())
    fault, detail = result.fault()
    assert (fault, result.sent, result.received) == (Fault.REFUSED, 2, 0)
    assert address in detail
    assert result.errors[0].errno == errno.ECONNREFUSED


def test_silence_is_a_timeout_by_the_deadline() -> None:
    async def scenario() -> TrainResult:
        with rig() as (engine, _), silent() as deaf:
            return await ask(engine, deaf.getsockname()[1], timeout=IMPATIENT)

    result = run(scenario())
    assert result.fault()[0] in (Fault.TIMEOUT, Fault.LOCAL)  # local: this machine was too busy to tell
    assert (result.sent, result.received) == (8, 0)


def test_source_ports_take_turns_within_and_across_trains() -> None:
    async def scenario() -> list[TrainResult]:
        with rig(ports=4) as (engine, responder):
            return [await ask(engine, responder.port, count=count) for count in (8, 2, 2)]

    long, first, second = run(scenario())
    assert [tally.sent for tally in long.train.ports] == [2, 2, 2, 2]
    assert {tally.port for tally in first.train.ports} | {tally.port for tally in second.train.ports} == {
        tally.port for tally in long.train.ports
    }


def test_source_ports_are_replaced_one_by_one_and_nothing_on_the_way_is_lost() -> None:
    async def scenario() -> tuple[set[int], int, int]:
        with rig(ports=2, rebind=0.02) as (engine, responder):
            seen: set[int] = set()
            await ask(engine, responder.port)
            lost, files = 0, open_files()
            while len(seen) < 5:
                result = await ask(engine, responder.port)
                seen |= {tally.port for tally in result.train.ports}
                lost += result.sent - result.received
                await asyncio.sleep(0.01)
            return seen, open_files() - files, lost

    seen, more, lost = run(scenario())
    assert lost == 0
    assert more <= 1, "one port that was replaced is kept for answers on the way"
    assert len(seen) > 3


def test_a_starved_loop_loses_nothing_that_the_kernel_had_in_time() -> None:
    async def scenario() -> TrainResult:
        with rig(at_once=True) as (engine, responder):
            train = asyncio.ensure_future(ask(engine, responder.port, timeout=0.2))
            for _ in iter(lambda: responder.counters["answered"] < 8, False):
                await asyncio.sleep(0)
            starve(0.6)
            return await train

    result = run(scenario())
    assert (result.received, result.train.late, result.fault()[0]) == (8, 0, None)


def test_silence_while_we_did_not_run_is_our_own_fault() -> None:
    async def scenario() -> TrainResult:
        with rig() as (engine, _), silent() as deaf:
            train = asyncio.ensure_future(ask(engine, deaf.getsockname()[1], timeout=0.1))
            await asyncio.sleep(0)
            starve(0.5)
            return await train

    fault, detail = run(scenario()).fault()
    assert fault is Fault.LOCAL
    assert "late" in detail


def answer_to(data: bytes, ring: Keyring) -> bytes:
    probe = codec.decode(data, ring)
    assert isinstance(probe, codec.Datagram)
    return codec.echo(probe, who("answerer"), ring, hold=0, seen=1, gap=0)


def test_late_duplicate_and_forged_answers_are_told_apart() -> None:
    async def scenario() -> tuple[TrainResult, dict[str, int]]:
        with rig(asks_with=KEY) as (engine, _), silent() as peer, silent() as stranger:
            train = asyncio.ensure_future(ask(engine, peer.getsockname()[1], count=3, timeout=0.5))
            await asyncio.sleep(0)
            asked = [peer.recvfrom(100) for _ in range(3)]
            good = [answer_to(data, KEY) for data, _ in asked]
            for sender, data in (
                (peer, good[0]),
                (peer, good[0]),
                (stranger, good[1]),  # right, but from another address
                (peer, good[1][:-1] + bytes([good[1][-1] ^ 1])),
                (peer, b"noise"),
                (peer, answer_to(asked[1][0], KEY)[:3] + asked[1][0][3:]),  # the request itself, turned round
            ):
                sender.sendto(data, asked[0][1])
            result = await train
            peer.sendto(good[0], asked[0][1])
            peer.sendto(good[2], asked[2][1])
            await until(lambda: engine.counters["late"] + engine.counters["duplicate"] == 2)
            return result, engine.counters

    result, counters = run(scenario())
    assert (result.received, result.train.duplicates) == (1, 1)
    assert {key: counters[key] for key in ("late", "duplicate", "stranger", "mac", "short")} == {
        "late": 1,
        "duplicate": 1,
        "stranger": 2,
        "mac": 1,
        "short": 1,
    }


def test_a_flood_of_noise_is_read_to_its_end_and_costs_no_answer() -> None:
    """150 is more than one reading takes and less than a socket's default buffer holds."""

    async def scenario() -> tuple[TrainResult, int]:
        with rig(ports=1) as (engine, responder), silent() as stranger:
            (tally,) = (await ask(engine, responder.port)).train.ports
            for _ in range(150):
                stranger.sendto(b"x", ("127.0.0.1", tally.port))
            result = await ask(engine, responder.port, count=1)
            await until(lambda: engine.counters["short"] == 150)
            return result, engine.counters["short"]

    result, noise = run(scenario())
    assert (result.received, noise) == (1, 150)


def test_what_the_kernel_dropped_of_answers_is_told_also_of_ports_replaced_since() -> None:
    async def scenario() -> tuple[int, int, int]:
        with rig(ports=1, rebind=0.05) as (engine, responder), silent() as stranger:
            (tally,) = (await ask(engine, responder.port)).train.ports
            before = engine.lost
            for _ in range(5000):
                stranger.sendto(b"x", ("127.0.0.1", tally.port))
            during = engine.lost
            ports = {tally.port}
            while len(ports) < 4:
                ports |= {tally.port for tally in (await ask(engine, responder.port, timeout=IMPATIENT)).train.ports}
            return before, during, engine.lost

    before, during, after = run(scenario())
    assert before == 0 < during <= after


@pytest.mark.parametrize(("asks", "answers"), [(KEY, OTHER_KEY), (KEY, Keyring()), (Keyring(), KEY)])
def test_keys_that_differ_are_a_mismatch_and_no_loss(asks: Keyring, answers: Keyring) -> None:
    async def scenario() -> TrainResult:
        with rig(asks_with=asks, answers_with=answers) as (engine, responder):
            return await ask(engine, responder.port, timeout=0.4)

    assert run(scenario()).fault() == (Fault.MISMATCH, "version/key mismatch")


def test_a_peer_that_told_of_a_mismatch_stays_one_while_it_is_not_heard() -> None:
    """In a flood it may not get to say so each time; what it answers and what the network says of it go before."""

    async def scenario() -> list[Fault | None]:
        found: list[Fault | None] = []
        with rig() as (engine, _), silent() as peer:
            peer.setblocking(False)
            port = peer.getsockname()[1]
            for reply in (None, codec.mismatch, None, answered, None):
                asking = asyncio.ensure_future(ask(engine, port, count=1, timeout=0.3))
                await asyncio.sleep(0)
                data, back = peer.recvfrom(2048)
                if reply:
                    peer.sendto(reply(data) or b"", back)
                found.append((await asking).fault()[0])
        return found

    assert run(scenario()) == [Fault.TIMEOUT, Fault.MISMATCH, Fault.MISMATCH, None, Fault.TIMEOUT]


def answered(data: bytes) -> bytes:
    """The answer to a probe without keys."""
    probe = codec.decode(data, Keyring())
    assert isinstance(probe, codec.Datagram)
    return codec.echo(probe, ANSWERER, Keyring(), hold=0, seen=1, gap=0)


def test_old_and_new_versions_speak_both_ways() -> None:
    async def scenario(asks: int, answers: int) -> list[TrainResult]:
        with rig(asks_in=asks, answers_in=answers) as (engine, responder):
            return [await ask(engine, responder.port, number=number, timeout=0.5) for number in range(2)]

    assert [(result.received, result.train.seen) for result in run(scenario(2, 3))] == [(8, 8), (8, 8)]
    first, then = run(scenario(3, 2))
    assert first.fault()[0] is Fault.MISMATCH
    assert (then.received, then.train.seen) == (8, 8)


def test_what_the_kernel_will_not_send_is_reported_and_the_stamps_stay_in_step() -> None:
    async def scenario() -> tuple[TrainResult, TrainResult]:
        with rig() as (engine, responder):
            unsendable = await ask(engine, 1, "255.255.255.255")  # broadcasting needs an option that is not set
            return unsendable, await ask(engine, responder.port)

    failed, after = run(scenario())
    assert (failed.sent, failed.fault()[0]) == (0, Fault.NOT_PERMITTED)
    assert (after.received, after.clock, len(after.rtts)) == (8, StampSource.KERNEL, 8)


def test_a_train_that_is_cancelled_leaves_nothing_waiting() -> None:
    async def scenario() -> TrainResult:
        with rig() as (engine, responder), silent() as deaf:
            train = asyncio.ensure_future(ask(engine, deaf.getsockname()[1]))
            await asyncio.sleep(0)
            train.cancel()
            with pytest.raises(asyncio.CancelledError):
                await train
            return await ask(engine, responder.port)

    assert run(scenario()).received == 8


def test_closing_cancels_whoever_waits() -> None:
    async def scenario() -> None:
        with rig() as (engine, _), silent() as deaf:
            train = asyncio.ensure_future(ask(engine, deaf.getsockname()[1]))
            await asyncio.sleep(0)
            engine.close()
            with pytest.raises(asyncio.CancelledError):
                await train

    run(scenario())


def test_a_name_is_no_address() -> None:
    async def scenario() -> None:
        engine = TrainSender(Sender(ASKER, 1), Keyring)
        with pytest.raises(ValueError, match="'localhost' does not appear to be an IPv4"):
            await ask(engine, 1, "localhost")

    run(scenario())

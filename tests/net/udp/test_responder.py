"""The UDP responder: counts honestly, answers sparingly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import DatagramType, Sender
from kubesonar.core.wire.keyring import COOKIE_SIZE, MAC_SIZE, Keyring
from kubesonar.model import StampSource
from kubesonar.net.ticks import Ticks
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.token_bucket import RateLimits
from kubesonar.net.udp.train import TrainResult
from kubesonar.net.udp.train_records import TrainRecord
from kubesonar.net.udp.train_sender import TrainSender
from tests.net.rig import ANSWERER, ASKER, GENEROUS, KEY, accepted, rig, run, starve, who

both = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


class Client:
    """A plain socket that sends whatever a test likes."""

    def __init__(self, address: str, port: int) -> None:
        self.to = (address, port)
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.sender = Sender(ASKER, 1000)

    def probe(self, sequence: int = 0, count: int = 4, ring: Keyring = KEY, **more: int) -> bytes:
        return self.sender.probe(ring, more.pop("number", 1), sequence, count, more.pop("size", 64), **more)

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.socket.sendto(frame, self.to)

    async def answers(self) -> list[bytes]:
        """What came back, once the responder had time for all that was sent before."""
        found = []
        for _ in range(6):
            await asyncio.sleep(0.005)
            while True:
                try:
                    found.append(self.socket.recv(2048))
                except BlockingIOError:
                    break
        return found


@contextmanager
def client(
    address: str = "127.0.0.1",
    ring: Keyring = KEY,
    limits: RateLimits = GENEROUS,
    records: list[TrainRecord] | None = None,
    listen: str = "",
) -> Iterator[tuple[Client, UdpResponder]]:
    publish = [] if records is None else records
    with rig(listen or address, answers_with=ring, limits=limits, publish=publish.append) as (_, responder):
        asking = Client(address, responder.port)
        try:
            yield asking, responder
        finally:
            asking.socket.close()


@both
def test_a_train_is_published_as_it_arrived(address: str) -> None:
    async def scenario() -> list[TrainRecord]:
        records: list[TrainRecord] = []
        with client(address, records=records) as (asking, _):
            frames = [asking.probe(sequence, number=77, size=100) for sequence in range(4)]
            asking.send(frames[1], frames[0], frames[0], frames[2], frames[3])
            assert len(await asking.answers()) == 4
        return records

    (record,) = run(scenario())
    assert (record.source, record.epoch, record.number, record.size) == (ASKER.identity, 1000, 77, 100)
    assert (record.announced, record.received, record.answered) == (4, 4, 4)
    assert (record.duplicates, record.reordered) == (1, 1)
    assert (record.peer, record.family) == (address, 6 if ":" in address else 4)
    assert [(tally.sent, tally.received) for tally in record.ports] == [(4, 4)]
    assert record.gap > 0 and record.at > 1e9


def test_a_train_with_losses_is_published_when_nothing_came_for_a_while() -> None:
    async def scenario() -> tuple[int, list[TrainRecord]]:
        records: list[TrainRecord] = []
        with client(records=records) as (asking, _):
            asking.send(asking.probe(0), asking.probe(2))
            await asking.answers()
            early = len(records)
            for _ in range(100):
                if records:
                    break
                await asyncio.sleep(0.05)
        return early, records

    early, (record,) = run(scenario())
    assert early == 0
    assert (record.announced, record.received) == (4, 2)


def test_an_answer_that_we_could_not_give_in_time_does_not_count_as_given() -> None:
    async def scenario() -> tuple[list[bytes], list[TrainRecord]]:
        records: list[TrainRecord] = []
        with client(records=records) as (asking, _):
            asking.send(asking.probe(0, count=1))
            starve(0.55)
            return await asking.answers(), records

    (data,), (record,) = run(scenario())
    answer = codec.decode(data, KEY)
    assert isinstance(answer, codec.Datagram) and answer.hold > 0.5e9
    assert (record.received, record.answered) == (1, 0)


def test_what_is_open_is_published_on_closing() -> None:
    async def scenario() -> list[TrainRecord]:
        records: list[TrainRecord] = []
        with client(records=records) as (asking, _):
            asking.send(asking.probe(0))
            await asking.answers()
        return records

    assert [record.received for record in run(scenario())] == [1]


def test_answers_tell_how_much_of_the_train_has_come() -> None:
    async def scenario() -> list[bytes]:
        with client() as (asking, _):
            asking.send(*(asking.probe(sequence) for sequence in range(3)))
            return await asking.answers()

    answers = [codec.decode(data, KEY) for data in run(scenario())]
    assert [(answer.type, answer.seen) for answer in answers if isinstance(answer, codec.Datagram)] == [
        (DatagramType.ECHO, 1),
        (DatagramType.ECHO, 2),
        (DatagramType.ECHO, 3),
    ]


@pytest.mark.parametrize("version", range(codec.OLDEST, codec.CURRENT + 1))
@pytest.mark.parametrize("size", [64, 65, 1400])
def test_no_answer_is_longer_than_its_request(version: int, size: int) -> None:
    async def scenario() -> list[bytes]:
        with client() as (asking, _):
            asking.send(asking.probe(size=size, version=version))
            return await asking.answers()

    assert [len(answer) <= 64 for answer in run(scenario())] == [True]


def test_hostile_datagrams_are_counted_by_reason_and_not_answered() -> None:
    async def scenario() -> tuple[list[bytes], dict[str, int]]:
        with client() as (asking, responder):
            good = asking.probe()
            asking.send(
                b"",
                bytes(9217),
                b"x" * 64,
                good[:-1] + bytes([good[-1] ^ 1]),
                asking.probe(sequence=9),
                codec.echo(accepted(asking.probe()), ANSWERER, KEY, hold=0, seen=0, gap=0),
                codec.mismatch(asking.probe(version=9)) or b"",
                good[:63],
            )
            return await asking.answers(), responder.counters

    answers, counters = run(scenario())
    assert answers == []
    assert {key: count for key, count in counters.items() if count and key != "received"} == {
        "short": 1,
        "long": 1,
        "magic": 1,
        "mac": 2,
        "field": 1,
        "answer": 2,
    }


def test_a_replay_is_not_answered() -> None:
    async def scenario() -> tuple[list[bytes], int]:
        with client() as (asking, responder):
            frame = asking.probe()
            asking.send(*[frame] * 10)
            return await asking.answers(), responder.counters["replay"]

    answers, replays = run(scenario())
    assert (len(answers), replays) == (1, 9)


@pytest.mark.parametrize("fields", [{"version": codec.CURRENT + 1}, {"ring": Keyring({9: bytes(16)}, 9)}])
def test_versions_and_keys_not_shared_are_told_so_a_few_times_a_second(fields: dict[str, object]) -> None:
    async def scenario() -> list[bytes]:
        with client() as (asking, _):
            asking.send(*(asking.probe(**fields) for _ in range(50)))  # type: ignore[arg-type]
            return await asking.answers()

    answers = run(scenario())
    assert 1 <= len(answers) <= 20
    assert {len(answer) for answer in answers} == {codec.HEADER_SIZE}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (RateLimits(rate=1, burst=5), "rate"),
        (RateLimits(total_rate=1, total_burst=5), "total_rate"),
    ],
)
def test_more_than_the_limit_is_dropped_and_counted(limits: RateLimits, reason: str) -> None:
    async def scenario() -> tuple[list[bytes], int]:
        with client(limits=limits) as (asking, responder):
            asking.send(*(asking.probe(sequence, count=50) for sequence in range(50)))
            return await asking.answers(), responder.counters[reason]

    answers, dropped = run(scenario())
    assert len(answers) + dropped == 50
    assert 5 <= len(answers) <= 10


OTHER_KEY = Keyring({1: bytes(15) + b"x"}, 1)
FLOODS: dict[str, Callable[[Client], bytes]] = {
    "forged": lambda asking: asking.probe(ring=OTHER_KEY),
    "forged message": lambda asking: asking.sender.message(OTHER_KEY, ANSWERER.identity, 0, b"dead"),
    "without a key": lambda asking: asking.probe(ring=Keyring()),
    "wrong key id": lambda asking: asking.probe(ring=Keyring({9: bytes(16)}, 9)),
    "old version": lambda asking: asking.probe(ring=OTHER_KEY, version=1),
    "newer version": lambda asking: asking.probe(ring=OTHER_KEY, version=99),
    "signed before cookies, then cut": lambda asking: asking.probe()[:46] + bytes(18),
    "truncated": lambda asking: asking.probe()[:60],
    "oversized": lambda asking: asking.probe()[:64] + bytes(9217),
    "answers": lambda asking: codec.echo(accepted(asking.probe()), ANSWERER, KEY, hold=0, seen=0, gap=0),
    "empty": lambda asking: b"",
    "noise": lambda asking: b"x" * 64,
}


@both
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_what_is_not_signed_costs_no_member_a_datagram(kind: str, address: str) -> None:
    """From the member's own address and port, and more than any buffer holds."""

    async def scenario() -> tuple[int, int, int]:
        with client(address, limits=RateLimits(rate=1, burst=8, total_rate=1, total_burst=8)) as (asking, responder):
            flood = [FLOODS[kind](asking)] * 1500
            asking.send(*flood, *(asking.probe(sequence, count=8) for sequence in range(4)), *flood)
            asking.send(*(asking.probe(sequence, count=8) for sequence in range(4, 8)))
            answers = [codec.decode(data, KEY) for data in await asking.answers()]
            echoes = [answer for answer in answers if getattr(answer, "type", None) is DatagramType.ECHO]
            return len(echoes), responder.lost(), responder.counters["unread"]

    echoes, lost, unread = run(scenario())
    assert (echoes, lost) == (8, 0)
    assert unread > 1000, "the kernel had to drop most of the flood"


def test_replays_of_signed_datagrams_use_up_no_limit() -> None:
    async def scenario() -> tuple[int, int, int]:
        with client(limits=RateLimits(rate=1, burst=9, total_rate=1, total_burst=9)) as (asking, responder):
            recorded = asking.probe(count=1)
            for _ in range(20):
                asking.send(*[recorded] * 50)
                await asyncio.sleep(0)
            asking.send(*(asking.probe(sequence, number=2, count=8) for sequence in range(8)))
            return len(await asking.answers()), responder.lost(), responder.counters["replay"]

    assert run(scenario()) == (9, 0, 999)


def test_members_datagrams_that_the_kernel_drops_are_known_to_be_lost_here() -> None:
    async def scenario() -> tuple[int, int, int]:
        with client() as (asking, responder):
            assert responder.lost() == 0
            asking.send(*(asking.probe(number=number, count=1) for number in range(20_000)))
            for _ in range(1000):
                await asyncio.sleep(0.005)
                if responder.counters["received"] + responder.lost() == 20_000:
                    break
            return responder.counters["received"], responder.lost(), responder.lost()

    received, lost, again = run(scenario())
    assert lost == again == 20_000 - received > 0


def test_without_keys_one_address_does_not_use_up_what_is_there_for_all() -> None:
    async def scenario() -> tuple[int, int]:
        limits = RateLimits(rate=1, burst=5, total_rate=1, total_burst=10)
        with client(ring=Keyring(), limits=limits, listen="0.0.0.0") as (asking, responder):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder:
                flooder.bind(("127.0.0.9", 0))
                for name in range(50):
                    flooder.sendto(Sender(who(f"{name}"), 1).probe(Keyring(), 1, 0, 1, 64), asking.to)
                await asking.answers()
            asking.send(asking.probe(ring=Keyring()))
            return len(await asking.answers()), responder.lost()

    assert run(scenario()) == (1, 45)


def test_a_member_that_knows_no_cookie_is_answered_and_its_datagrams_are_missed() -> None:
    """One of version 2 as it was before cookies; when the kernel drops such datagrams, they may have been its own."""

    def before_cookies(asking: Client, sequence: int) -> bytes:
        bare = bytearray(asking.probe(sequence, count=8, version=2)[:-MAC_SIZE])
        bare[codec.PROBE_COOKIE_AT :] = bytes(COOKIE_SIZE)
        return bytes(bare) + (KEY.mac(1, bytes(bare)) or b"")

    async def scenario() -> tuple[int, bool]:
        with client() as (asking, responder):
            asking.send(*(before_cookies(asking, sequence) for sequence in range(8)))
            answered = len(await asking.answers())
            assert responder.lost() == 0
            asking.send(*[b"x" * 64] * 3000)
            return answered, responder.lost() > 0

    assert run(scenario()) == (8, True)


def test_keys_that_change_sort_by_their_cookies_at_once() -> None:
    async def scenario() -> int:
        rings = [KEY]
        fresh = Keyring({2: bytes(range(16)), 1: bytes(16)}, 2)
        responder = UdpResponder(
            ["127.0.0.1"], 0, me=lambda: ANSWERER, ring=lambda: rings[-1], publish=lambda record: None
        )
        asking = Client("127.0.0.1", responder.port)
        try:
            rings.append(fresh)
            asking.send(asking.probe(count=1))
            assert len(await asking.answers()) == 1
            flood = [asking.probe(ring=OTHER_KEY)] * 1500
            asking.send(*flood, *(asking.probe(sequence, ring=fresh, count=8, number=2) for sequence in range(8)))
            return len(await asking.answers())
        finally:
            asking.socket.close()
            responder.close()

    assert run(scenario()) == 8


@pytest.mark.parametrize(("listen", "address"), [("0.0.0.0", "127.0.0.5"), ("::", "::1")])
def test_a_wildcard_answers_from_the_address_that_was_asked(listen: str, address: str) -> None:
    async def scenario() -> int:
        with client(address, listen=listen) as (asking, _):
            asking.socket.connect(asking.to)  # a connected socket takes answers from nobody else
            asking.socket.send(asking.probe())
            return len(await asking.answers())

    assert run(scenario()) == 1


def test_both_families_are_served_on_one_port() -> None:
    async def scenario() -> list[int]:
        with rig("127.0.0.1", "::1") as (engine, responder):
            return [
                (await engine.train(address, responder.port, number=1, count=2, size=64, timeout=5.0)).received
                for address in ("127.0.0.1", "::1")
            ]

    assert run(scenario()) == [2, 2]


def test_an_address_in_use_is_an_error_and_leaves_nothing_open() -> None:
    async def scenario() -> None:
        with rig() as (_, responder), pytest.raises(OSError, match="in use"):
            UdpResponder(
                ["127.0.0.2", "127.0.0.1"],
                responder.port,
                me=lambda: ANSWERER,
                ring=Keyring,
                publish=lambda record: None,
            )

    run(scenario())


@both
def test_a_message_is_handed_over_once_and_only_if_it_is_for_us(address: str) -> None:
    seen: list[tuple[bytes, str, int]] = []

    async def play() -> None:
        responder = UdpResponder(
            [address],
            0,
            me=lambda: ANSWERER,
            ring=lambda: KEY,
            publish=lambda record: None,
        )
        responder.deliver_to(lambda message, host, port: seen.append((message.payload, host, port)))
        asking = Client(address, responder.port)
        asking.socket.bind((address, 0))
        port = asking.socket.getsockname()[1]
        message = asking.sender.message(KEY, ANSWERER.identity, 0, b"hear me")
        forged = asking.sender.message(Keyring({1: bytes(15) + b"x"}, 1), ANSWERER.identity, 0, b"forged")
        asking.send(message, message, asking.sender.message(KEY, ASKER.identity, 0, b"for another"), forged)
        try:
            assert await asking.answers() == [], "a message is no request"
            assert seen == [(b"hear me", address, port)]
            counters = responder.counters
            assert (counters["messages"], counters["replay"], counters["misdelivered"], counters["mac"]) == (1, 1, 1, 1)
        finally:
            asking.socket.close()
            responder.close()

    run(play())


@both
def test_messages_are_sent_from_the_port_on_which_we_answer(address: str) -> None:
    async def play() -> None:
        responder = UdpResponder([address], 0, me=lambda: ANSWERER, ring=lambda: KEY, publish=lambda record: None)
        asking = Client(address, responder.port)
        asking.socket.bind((address, 0))
        try:
            other = "::1" if address == "127.0.0.1" else "127.0.0.1"
            assert responder.send(b"hello", address, asking.socket.getsockname()[1])
            assert not responder.send(b"hello", other, 9), "it has no socket of that family"
            await asyncio.sleep(0.01)
            data, peer = asking.socket.recvfrom(100)
            assert (data, peer[:2]) == (b"hello", (address, responder.port))
            assert (responder.counters["sent"], responder.counters["send"]) == (1, 1)
        finally:
            asking.socket.close()
            responder.close()

    run(play())


async def _asked(engine: TrainSender, port: int, count: int = 1, flags: int = 0) -> TrainResult:
    return await engine.train("127.0.0.1", port, number=1, count=count, size=64, timeout=10.0, flags=flags)


def test_an_answer_waits_for_a_tick_and_says_for_how_long() -> None:
    async def scenario() -> TrainResult:
        with rig() as (engine, responder):
            return await _asked(engine, responder.port, count=8)

    result = run(scenario(), tick=0.5)
    assert (result.received, result.clock) == (8, StampSource.KERNEL)
    assert max(result.rtts) < 0.25


@pytest.mark.parametrize(("flags", "first"), [(codec.UNRECORDED, 1), (0, 64)], ids=["searched", "many"])
def test_who_searches_is_answered_at_once_and_so_are_many(flags: int, first: int) -> None:
    async def scenario() -> int:
        ticks = 0

        def count() -> None:
            nonlocal ticks
            ticks += 1

        with rig(at_once=True) as (engine, responder):
            await _asked(engine, responder.port, first, flags)
            Ticks.of(asyncio.get_running_loop()).read_each(count)
            for _ in range(8):
                await _asked(engine, responder.port, 8, flags)
        return ticks

    assert run(scenario(), tick=1.0) < 4, "each of eight would have waited for a tick"


def test_who_is_in_no_hurry_is_answered_in_ticks_though_nothing_is_recorded() -> None:
    records: list[TrainRecord] = []

    async def scenario() -> int:
        ticks = 0

        def count() -> None:
            nonlocal ticks
            ticks += 1

        with rig(at_once=True, publish=records.append) as (engine, responder):
            Ticks.of(asyncio.get_running_loop()).read_each(count)
            for _ in range(8):
                await _asked(engine, responder.port, 2, codec.UNRECORDED | codec.UNHURRIED)
        return ticks

    assert run(scenario(), tick=0.02) >= 8, "each waits for a tick"
    assert not records

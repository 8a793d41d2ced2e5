"""The datagram codec: what comes out is what went in, and nothing hostile gets through or blows up."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, DatagramType, Refusal, Sender, decode
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Member

ME = WireIdentity.of(Member("node-1-pod", "node-1", ("10.0.0.1",), 7473))
OTHER = WireIdentity.of(Member("node-2-pod", "node-2", ("10.0.0.2",), 7473))
CORPUS = Path(__file__).parents[2] / "corpus" / "datagrams"
OLD, NEW = b"old key, 16 byte", b"new key: thirty-two bytes long.."
RINGS = {
    "none": Keyring(),
    "old": Keyring({1: OLD}, 1),
    "both": Keyring({1: OLD, 2: NEW}, 2),
    "new": Keyring({2: NEW}, 2),
}

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
versions = st.sampled_from(range(codec.OLDEST, codec.CURRENT + 1))
rings = st.sampled_from(sorted(RINGS)).map(RINGS.__getitem__)


def probe(ring: Keyring = RINGS["old"], **fields: int) -> bytes:
    figures = {"number": 7, "sequence": 2, "count": 8, "size": 100, **fields}
    return Sender(ME, 1234).probe(ring, **figures)


def accepted(data: bytes, ring: Keyring = RINGS["old"], newest: int = codec.CURRENT) -> Datagram:
    datagram = decode(data, ring, newest)
    assert isinstance(datagram, Datagram), datagram
    return datagram


def reason(data: bytes, ring: Keyring = RINGS["old"], newest: int = codec.CURRENT) -> Refusal | None:
    datagram = decode(data, ring, newest)
    return datagram if isinstance(datagram, Refusal) else None


@given(
    ring=rings,
    version=versions,
    number=u32,
    sequence=st.integers(0, 255),
    size=st.integers(0, 9216),
    flags=st.integers(0, 255),
)
def test_a_probe_says_what_was_put_in(
    ring: Keyring, version: int, number: int, sequence: int, size: int, flags: int
) -> None:
    sender = Sender(ME, 99)
    data = sender.probe(ring, number, sequence, codec.MAX_TRAIN, size, version, flags)
    datagram = accepted(data, ring)
    assert (datagram.type, datagram.version, datagram.flags) == (DatagramType.PROBE, version, flags)
    assert (datagram.source, datagram.alias) == ((ME.name, b"") if version == 2 else (ME.identity, ME.alias))
    assert (datagram.epoch, datagram.counter) == (99, 1)
    assert (datagram.number, datagram.sequence, datagram.count) == (number, sequence, codec.MAX_TRAIN)
    assert len(data) == datagram.size == max(size, codec.MIN_REQUEST)


@given(ring=rings, version=versions, sequences=st.lists(st.integers(0, 255), min_size=1, max_size=20))
def test_probes_made_together_are_those_made_one_by_one(ring: Keyring, version: int, sequences: list[int]) -> None:
    one_by_one, together = Sender(ME, 99), Sender(ME, 99)
    probes = [one_by_one.probe(ring, 7, sequence, 256, 100, version, codec.WITH_FULL) for sequence in sequences]
    assert together.probes(ring, 7, sequences, 256, 100, version, codec.WITH_FULL) == probes
    assert together.counter == one_by_one.counter == len(sequences)


@given(ring=rings, version=versions, hold=st.integers(-(2**70), 2**70), seen=st.integers(0, 2**20), gap=u32)
def test_an_echo_is_in_the_askers_version_and_never_longer_than_the_request(
    ring: Keyring, version: int, hold: int, seen: int, gap: int
) -> None:
    request = Sender(ME, 99).probe(ring, 5, 0, 1, 0, version)
    data = codec.echo(accepted(request, ring), OTHER, ring, hold=hold, seen=seen, gap=gap)
    answer = accepted(data, ring)
    assert len(data) <= len(request)
    assert (answer.type, answer.version, answer.source) == (DatagramType.ECHO, version, OTHER.source(version))
    assert (answer.epoch, answer.counter, answer.number) == (99, 1, 5)
    assert answer.hold == min(max(hold, 0), codec.HOLD_LIMIT)
    assert (answer.seen, answer.gap) == (min(seen, 0xFFFF), gap)


@given(ring=rings, version=versions, payload=st.binary(max_size=codec.MAX_MESSAGE), epoch=st.integers(0, 2**64 - 1))
def test_a_message_says_what_was_put_in_and_for_whom(ring: Keyring, version: int, payload: bytes, epoch: int) -> None:
    sender = Sender(ME, 99)
    data = sender.message(ring, OTHER.identity, epoch, payload, version)
    assert len(data) <= 1200
    message = accepted(data, ring)
    assert (message.type, message.source, message.alias) == (
        DatagramType.MESSAGE,
        ME.source(version),
        b"" if version == 2 else ME.alias,
    )
    assert (message.version, message.flags, message.epoch, message.counter) == (version, codec.CURRENT, 99, 1)
    assert (message.addressee, message.addressee_epoch, message.payload) == (OTHER.identity, epoch, payload)


def test_a_message_too_long_or_without_an_addressee_is_refused() -> None:
    ring = RINGS["old"]
    assert reason(Sender(ME, 1).message(ring, b"12345678", 0, bytes(codec.MAX_MESSAGE + 1))) is Refusal.LONG
    head = probe(size=64)[: codec.HEADER_SIZE]
    short = head[:3] + bytes((DatagramType.MESSAGE,)) + head[4:] + bytes(15)
    mac = ring.mac(1, short)
    assert mac is not None and reason(short + mac) is Refusal.SHORT


def test_the_counter_never_repeats() -> None:
    sender = Sender(ME, 1)
    counters = [accepted(sender.probe(RINGS["old"], 1, 0, 1, 64)).counter for _ in range(5)]
    assert counters == [1, 2, 3, 4, 5]


@given(data=st.binary(max_size=200), ring=rings)
def test_noise_is_refused_and_never_raises(data: bytes, ring: Keyring) -> None:
    assert isinstance(decode(data, ring), Refusal)


@given(flip=st.integers(0, 99), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(flip: int, bit: int) -> None:
    data = bytearray(probe())
    data[flip] ^= 1 << bit
    datagram = decode(bytes(data), RINGS["old"])
    assert isinstance(datagram, Refusal) or datagram.type is DatagramType.MISMATCH


@given(cut=st.integers(0, 99))
def test_any_cut_is_noticed(cut: int) -> None:
    assert isinstance(decode(probe()[:cut], RINGS["old"]), Refusal)


@given(header=st.binary(min_size=36, max_size=36), body=st.binary(max_size=60), kind=st.integers(0, 254))
def test_what_a_key_holder_signs_is_still_checked(header: bytes, body: bytes, kind: int) -> None:
    ring = RINGS["none"]
    data = codec.MAGIC + bytes((3, kind, 0)) + header[3:] + body
    mac = ring.mac(0, data)
    assert mac is not None
    datagram = decode(data + mac, ring)
    if isinstance(datagram, Datagram):
        assert datagram.type in (DatagramType.PROBE, DatagramType.ECHO, DatagramType.MESSAGE)
        assert 0 <= datagram.sequence < datagram.count <= codec.MAX_TRAIN


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Refusal.SHORT),
        (bytes(codec.MAX_DATAGRAM + 1), Refusal.LONG),
        (bytes(64), Refusal.MAGIC),
        (probe(version=codec.CURRENT + 1), Refusal.VERSION),
        (probe(version=1), Refusal.VERSION),
        (probe(version=0), Refusal.VERSION),
        (probe(RINGS["new"]), Refusal.KEY),
        (probe(RINGS["none"]), Refusal.KEY),
        (probe(Keyring({1: NEW}, 1)), Refusal.MAC),
        (probe(sequence=8), Refusal.FIELD),
        (probe(count=0, sequence=0), Refusal.FIELD),
        (probe(count=codec.MAX_TRAIN + 1), Refusal.FIELD),
    ],
)
def test_each_refusal_says_why(data: bytes, expected: Refusal) -> None:
    assert reason(data) is expected


def test_a_version_is_understood_up_to_the_newest_spoken() -> None:
    assert reason(probe(version=3), newest=2) is Refusal.VERSION
    assert accepted(probe(version=2), newest=2).version == 2


def test_without_keys_nothing_signed_is_accepted_and_with_keys_nothing_unsigned() -> None:
    assert reason(probe(RINGS["old"]), RINGS["none"]) is Refusal.KEY
    assert reason(probe(RINGS["none"]), RINGS["old"]) is Refusal.KEY


def test_keys_are_rotated_without_a_gap() -> None:
    order = [RINGS["old"], Keyring({1: OLD, 2: NEW}, 1), RINGS["both"], RINGS["new"]]
    for before, after in pairwise(order):
        assert accepted(probe(before), after)
        assert accepted(probe(after), before)


@given(data=st.binary(min_size=64, max_size=120), newest=versions)
def test_a_mismatch_is_shorter_than_any_request_and_no_answer_is_answered(data: bytes, newest: int) -> None:
    notice = codec.mismatch(codec.MAGIC + data, newest)
    if data[1] & 0x80:
        assert notice is None
    else:
        assert notice is not None and len(notice) == codec.HEADER_SIZE < len(data)
        answer = accepted(notice)
        assert (answer.type, answer.version) == (DatagramType.MISMATCH, newest)
        assert codec.mismatch(notice.ljust(64, b"\0")) is None


def test_a_mismatch_echoes_the_nonce_of_a_version_not_spoken_here() -> None:
    notice = codec.mismatch(probe(version=9))
    assert notice is not None
    answer = accepted(notice)
    assert (answer.epoch, answer.counter, answer.sequence) == (1234, 1, 2)


def test_a_runt_gets_no_mismatch() -> None:
    assert codec.mismatch(probe(version=9)[:63]) is None


def test_an_icmp_quote_gives_the_counter_or_nothing() -> None:
    assert codec.quoted_number(probe()[:40]) == 1
    assert codec.quoted_number(probe()[:37]) is None
    assert codec.quoted_number(bytes(64)) is None


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.hex")), ids=lambda path: path.stem)
def test_the_corpus_is_decoded_as_its_names_say(path: Path) -> None:
    """`ring.reason-or-type.note.hex`: what was once worth trying stays tried."""
    ring, expected, _ = path.stem.split(".", 2)
    datagram = decode(bytes.fromhex(path.read_text()), RINGS[ring])
    found = datagram.value if isinstance(datagram, Refusal) else datagram.type.name.lower()
    assert found == expected


def test_the_corpus_is_there() -> None:
    assert len(list(CORPUS.glob("*.hex"))) >= 20

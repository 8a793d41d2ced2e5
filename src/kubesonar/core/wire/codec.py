"""The signed datagram: probes, answers and members' messages. Bytes in, frozen values out; never raises on input.

    0       2         3      4        5       6        14      22        30       34         36      38
    magic 2 version 1 type 1 key id 1 flags 1 source 8 epoch 8 counter 8 number 4 sequence 2 count 2 body padding MAC 16

Big endian. The 38 bytes of the header mean the same in every version (the idea of RFC 8999), so that a version that is
not understood can still be answered with a MISMATCH. `source` is the sender's identity (`identity.py`). A type with its
top bit set is an answer and is never answered. The MAC (keyed BLAKE2s, RFC 7693, 16 bytes) covers everything before it.
A MISMATCH is a bare header without a MAC: the two ends share no key or no version, so nothing could sign it; it is
believed only by a sender that has this counter outstanding, and then means "unknown", never loss.

Since version 3 the body of a PROBE and of a MESSAGE holds the sender's `alias`, its identity by address, by which a
roster that knows no nodes recognises it. The body of a MESSAGE begins with whom it is for, identity 8 and epoch 8 (0:
not known yet), so that one that was recorded is of no use elsewhere, nor here after a restart; its flags are the newest
version that its sender understands (0: 2).

Since version 4 one PROBE of a train may be as long as the path's MTU allows (`WITH_FULL`, `IS_FULL`). Responders count
it apart from the others, so a packet that is too big for the path is told from one that was lost. A version 3 responder
would count it as one of the others, so no train has one in version 3.

A PROBE (in its padding) and a MESSAGE (in `number`, which it needs for nothing else) carry two bytes that only holders
of the key know, the cookie. It proves nothing, as whoever sees a datagram knows it; by it the kernel tells members'
datagrams from a flood before any is read (`net/udp/shared_port.py`). Senders that know no cookie write zeros.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum, StrEnum
from hmac import compare_digest
from struct import Struct as Layout
from struct import error as LayoutError

import msgspec

from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import MAC_SIZE, Keyring

CURRENT = 4
"""The version spoken by default. Every version from `OLDEST` on is understood and answered in kind."""

OLDEST = 2

MAGIC = b"kS"
_HEADER = Layout("!2sBBBB8sQQIHH")
HEADER_SIZE = _HEADER.size
_ECHO = Layout("!IHI")
_COUNTED = Layout("!QIHH")
_COUNTER_AT = HEADER_SIZE - _COUNTED.size
_ALIAS_SIZE = 8

MIN_REQUEST = HEADER_SIZE + _ECHO.size + MAC_SIZE
"""Shortest request (64 bytes): as long as the longest answer, so that no answer is longer than its request."""

_ADDRESSEE = Layout("!8sQ")
_WITHOUT_ALIAS = 2

MESSAGE_OVERHEAD = HEADER_SIZE + _ADDRESSEE.size + _ALIAS_SIZE + MAC_SIZE
"""Bytes of a message's datagram besides its payload."""

MAX_MESSAGE = 1200 - MESSAGE_OVERHEAD
"""Longest payload of a message: its datagram then fits into the smallest packet that IPv6 always passes (1,280 bytes,
RFC 8200 section 5)."""

MAX_DATAGRAM = 9216
"""Longest datagram that is looked at, in bytes: a jumbo frame's worth."""

MAX_TRAIN = 256
"""Most datagrams in one train."""

PROBE_COOKIE_AT, MESSAGE_COOKIE_AT = 46, 30
"""Offsets of the cookie (`keyring.COOKIE_SIZE` bytes): the last padding of the shortest PROBE, a MESSAGE's `number`."""

HOLD_LIMIT = 0xFFFFFFFF
"""Longest holding time that an answer can say (ns, 4.29 s): this value means "at least"."""

UNRECORDED = 1
"""Flag of a request: answer and count, but publish nothing (path MTU search)."""

WITH_FULL = 2
"""Flag of a PROBE: one datagram of its train fills the path's MTU, is sent with DF set, and counts apart."""

IS_FULL = 4
"""Flag of a PROBE: this is that datagram."""

UNHURRIED = 8
"""Flag of a request that is `UNRECORDED`: its sender waits patiently for the answer, as for one that is recorded. A
responder that does not know it answers sooner than it has to."""

FULL_SINCE = 4
"""The first version whose responders know `WITH_FULL` and `IS_FULL`."""

CERTAIN = 1
"""Flag of an ECHO: its `source` is who answers. Without it the one who answers may not know its node yet."""

_ANSWER = 0x80
_EVER = 0xFFFFFFFFFFFFFFFF


class DatagramType(IntEnum):
    """The purpose of a datagram. 3 to 127 are left for what else is asked, 130 to 254 for answers."""

    PROBE = 1
    MESSAGE = 2
    ECHO = 129
    MISMATCH = 255


class Refusal(StrEnum):
    """The reason why a datagram is refused."""

    SHORT = "short"
    LONG = "long"
    MAGIC = "magic"
    VERSION = "version"
    KEY = "key"
    MAC = "mac"
    TYPE = "type"
    FIELD = "field"


_PROBE, _MESSAGE, _ECHO_TYPE, _MISMATCH = DatagramType
"""Each in a name of its own: looking members of an enumeration up costs as much as the rest of decoding."""


class Datagram(msgspec.Struct, frozen=True, gc=False):
    """One datagram that was checked. In an answer `epoch`, `counter`, `number`, `sequence` and `count` are the
    request's. `alias` is the sender's identity by address, empty before version 3 and in answers.
    ECHO: `hold` (ns from the kernel's receive stamp to the answer), `seen` (how many of this train had arrived) and
    `gap` (median spacing of the arrivals so far, in units of 100 ns, 0 unknown).
    MESSAGE: `addressee` and `addressee_epoch`, whom it is for, and its `payload`. `key` is the id of the key it was
    signed with, 0 for the mere checksum; `size` is the whole datagram's."""

    type: DatagramType
    version: int
    key: int
    flags: int
    source: bytes
    epoch: int
    counter: int
    number: int = 0
    sequence: int = 0
    count: int = 1
    size: int = 0
    hold: int = 0
    seen: int = 0
    gap: int = 0
    addressee: bytes = b""
    addressee_epoch: int = 0
    alias: bytes = b""
    payload: bytes = b""


class Sender:
    """Signs the requests of one member: `identity` (see `become`), epoch (Unix ms of its start) and a counter that
    never repeats within the epoch."""

    def __init__(self, identity: WireIdentity, epoch: int) -> None:
        self.identity = identity
        self.epoch = epoch & _EVER
        self.counter = 0

    def become(self, identity: WireIdentity) -> None:
        """Send under this identity from now on: the roster knows more of this member than it did itself."""
        self.identity = identity

    def probe(
        self,
        ring: Keyring,
        number: int,
        sequence: int,
        count: int,
        size: int,
        version: int = CURRENT,
        flags: int = 0,
    ) -> bytes:
        """A signed PROBE, padded to `size` bytes (at least `MIN_REQUEST`); `counter` is then the one it carries."""
        return self.probes(ring, number, (sequence,), count, size, version, flags)[0]

    def probes(
        self,
        ring: Keyring,
        number: int,
        sequences: Collection[int],
        count: int,
        size: int,
        version: int = CURRENT,
        flags: int = 0,
    ) -> list[bytes]:
        """The PROBEs of these `sequences` of one train, as `probe` makes each; their counters follow each other, and
        `counter` is then that of the last."""
        first = self.counter + 1
        start = self._head(_PROBE, ring, version, flags, number, 0, count)[:_COUNTER_AT]
        self.counter += len(sequences) - 1
        end = (self.identity.alias if version > _WITHOUT_ALIAS else b"").ljust(PROBE_COOKIE_AT - HEADER_SIZE, b"\0")
        end += ring.cookies[ring.signer]
        end = end.ljust(max(size, MIN_REQUEST) - MAC_SIZE - HEADER_SIZE, b"\0")
        return [
            _sign(start + _COUNTED.pack(counter, number, sequence, count) + end, ring, ring.signer)
            for counter, sequence in enumerate(sequences, first)
        ]

    def message(
        self,
        ring: Keyring,
        addressee: bytes,
        addressee_epoch: int,
        payload: bytes,
        version: int = CURRENT,
        newest: int = CURRENT,
    ) -> bytes:
        """A signed MESSAGE for the member of that identity and epoch; `payload` has `MAX_MESSAGE` bytes at most.
        `newest` is the newest version that this member understands."""
        number = int.from_bytes(ring.cookies[ring.signer]) << 16
        head = self._head(DatagramType.MESSAGE, ring, version, newest, number, 0, 1)
        alias = self.identity.alias if version > _WITHOUT_ALIAS else b""
        body = _ADDRESSEE.pack(addressee, addressee_epoch & _EVER) + alias + payload
        return _sign(head + body, ring, ring.signer)

    def _head(
        self, kind: DatagramType, ring: Keyring, version: int, flags: int, number: int, sequence: int, count: int
    ) -> bytes:
        self.counter += 1
        return _HEADER.pack(
            MAGIC,
            version,
            kind,
            ring.signer,
            flags,
            self.identity.source(version),
            self.epoch,
            self.counter,
            number,
            sequence,
            count,
        )


def echo(probe: Datagram, me: WireIdentity, ring: Keyring, *, hold: int, seen: int, gap: int) -> bytes:
    """The answer of `me` to `probe`, in its version and under its key; see `Datagram` for the figures,
    which are cut to what their fields hold."""
    head = _HEADER.pack(
        MAGIC, probe.version, _ECHO_TYPE, probe.key, CERTAIN if me.certain else 0, me.source(probe.version),
        probe.epoch, probe.counter, probe.number, probe.sequence, probe.count,
    )  # fmt: skip
    try:
        body = _ECHO.pack(hold, seen, gap)
    except LayoutError:
        body = _ECHO.pack(_cut(hold, HOLD_LIMIT), _cut(seen, 0xFFFF), _cut(gap, 0xFFFFFFFF))
    return _sign(head + body, ring, probe.key)


def mismatch(data: bytes | memoryview, newest: int = CURRENT) -> bytes | None:
    """The answer to a request that was refused for its version or key: its own header with our version and the type
    MISMATCH, 38 bytes and so shorter than any request. None when `data` is no request: answers are never answered."""
    if len(data) < MIN_REQUEST or data[:2] != MAGIC or data[3] & _ANSWER:
        return None
    return MAGIC + bytes((newest, DatagramType.MISMATCH)) + bytes(data[4:HEADER_SIZE])


def decode(data: bytes | memoryview, ring: Keyring, newest: int = CURRENT) -> Datagram | Refusal:
    """Return what `data` says, or why it is refused; `newest` is the newest version that this end understands."""
    size = len(data)
    if size < HEADER_SIZE:
        return Refusal.SHORT
    if size > MAX_DATAGRAM:
        return Refusal.LONG
    magic, version, kind, key, flags, source, epoch, counter, number, sequence, count = _HEADER.unpack_from(data)
    if magic != MAGIC:
        return Refusal.MAGIC
    if kind == _MISMATCH:
        return Datagram(_MISMATCH, version, key, flags, source, epoch, counter, number, sequence, count, size)
    if not OLDEST <= version <= newest:
        return Refusal.VERSION
    mac = ring.mac(key, data[:-MAC_SIZE])
    if mac is None:
        return Refusal.KEY
    if not compare_digest(mac, data[-MAC_SIZE:]):
        return Refusal.MAC
    if not 1 <= count <= MAX_TRAIN or sequence >= count:
        return Refusal.FIELD
    if kind == _PROBE:
        if size < MIN_REQUEST:
            return Refusal.SHORT
        alias = bytes(data[HEADER_SIZE : HEADER_SIZE + _ALIAS_SIZE]) if version > _WITHOUT_ALIAS else b""
        return Datagram(_PROBE, version, key, flags, source, epoch, counter, number, sequence, count, size, alias=alias)
    if kind == _ECHO_TYPE:
        if size < HEADER_SIZE + _ECHO.size + MAC_SIZE:
            return Refusal.SHORT
        body = _ECHO.unpack_from(data, HEADER_SIZE)
        return Datagram(_ECHO_TYPE, version, key, flags, source, epoch, counter, number, sequence, count, size, *body)
    if kind == _MESSAGE:
        return _message(data, version, key, flags, source, epoch, counter)
    return Refusal.TYPE


def _message(
    data: bytes | memoryview, version: int, key: int, flags: int, source: bytes, epoch: int, counter: int
) -> Datagram | Refusal:
    size, body = len(data), HEADER_SIZE + _ADDRESSEE.size
    start = body + (_ALIAS_SIZE if version > _WITHOUT_ALIAS else 0)
    if size < start + MAC_SIZE:
        return Refusal.SHORT
    if size > MAX_MESSAGE + MESSAGE_OVERHEAD:
        return Refusal.LONG
    addressee, theirs = _ADDRESSEE.unpack_from(data, HEADER_SIZE)
    alias, payload = bytes(data[body:start]), bytes(data[start:-MAC_SIZE])
    return Datagram(
        _MESSAGE, version, key, flags, source, epoch, counter,
        size=size, addressee=addressee, addressee_epoch=theirs, alias=alias, payload=payload,
    )  # fmt: skip


def quoted_number(data: bytes) -> int | None:
    """The counter of a datagram of which an ICMP error quotes the beginning; None when it quotes too little. It is not
    authenticated, and the quote ends long before the MAC."""
    if len(data) < HEADER_SIZE or data[:2] != MAGIC:
        return None
    counter: int = _HEADER.unpack_from(data)[7]
    return counter


def _cut(value: int, most: int) -> int:
    """The value, or the nearest one from 0 to `most`."""
    return min(max(value, 0), most)


def _sign(data: bytes, ring: Keyring, key: int) -> bytes:
    mac = ring.mac(key, data)
    assert mac is not None, "a datagram is signed with a key that is held"
    return data + mac

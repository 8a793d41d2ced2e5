"""Domain names, as text and on the wire.

As text a name has no final dot ("cluster.local", the root is "."); a dot or backslash inside a label is escaped with a
backslash and every byte that is not printable ASCII as \\DDD (RFC 1035, section 5.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

NAME_LIMIT = 255
"""Longest name on the wire, in bytes, length bytes and root included (RFC 1035, section 2.3.4)."""

LABEL_LIMIT = 63
"""Longest label, in bytes (RFC 1035, section 2.3.4)."""

_MADE_UP = "abcdefghijklmnopqrstuvwxyz234567"
_MADE_UP_LENGTH = 13  # 65 bits: two are never the same in practice
_POINTER = 0xC0
_PLAIN = bytes(byte for byte in range(0x21, 0x7F) if byte not in b".\\")
_PLAIN_AND_DOTS = _PLAIN + b"."
_DIGITS = frozenset("0123456789")


class BadWire(ValueError):
    """Bytes that are no DNS message. Does not leave this package: `decode_reply` returns `Malformed` instead."""


class Reader:
    """Reads names out of one message. A pointer must point before the name it stands in, so there are no loops, and the
    labels followed in all are bounded by the message's length, so hostile compression costs no more than reading it."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self._known: dict[int, tuple[bytes, ...]] = {}  # what pointers point at
        self._steps = len(wire)

    def name(self, at: int) -> tuple[str, int]:
        """Return the name at `at` as text, and the offset behind it. Raises BadWire."""
        labels, after = self._labels(at)
        if sum(map(len, labels)) + len(labels) + 1 > NAME_LIMIT:
            raise BadWire(f"a name longer than {NAME_LIMIT} bytes")
        return text_of(labels), after

    def _labels(self, at: int) -> tuple[list[bytes], int]:
        wire, size, labels = self.wire, len(self.wire), list[bytes]()
        start, after, first, mark, steps = at, 0, -1, 0, self._steps
        while True:  # the innermost loop of a reply: calls would double what it costs
            if at >= size:
                raise BadWire("a name runs past the end")
            length = wire[at]
            steps -= 1
            if steps < 0:
                raise BadWire("more name compression than an honest message has")
            if length <= LABEL_LIMIT:
                if not length:
                    break
                labels.append(wire[at + 1 : at + 1 + length])
                at += 1 + length
                continue
            if length < _POINTER:
                raise BadWire(f"label type {length >> 6} in a name")
            if at + 1 >= size:
                raise BadWire("a name runs past the end")
            target = (length & 0x3F) << 8 | wire[at + 1]
            if target >= start:
                raise BadWire("a name points forward or at itself")
            after = after or at + 2
            if (known := self._known.get(target)) is not None:
                labels.extend(known)
                break
            if first < 0:
                first, mark = target, len(labels)
            at = start = target
        self._steps = steps
        if first >= 0:
            self._known[first] = tuple(labels[mark:])
        return labels, after or at + 1


def text_of(labels: list[bytes]) -> str:
    """Return the name of these labels as text."""
    joined = b".".join(labels)
    if joined.count(b".") < max(1, len(labels)) and not joined.translate(None, _PLAIN_AND_DOTS):
        return joined.decode("ascii") or "."  # nothing to escape in any label
    return ".".join(map(_label_text, labels))


def _label_text(label: bytes) -> str:
    if label.translate(None, _PLAIN):
        return "".join(map(_escaped, label))
    return label.decode("ascii")


def _escaped(byte: int) -> str:
    char = chr(byte)
    if char in ".\\":
        return "\\" + char
    return char if 0x20 < byte < 0x7F else f"\\{byte:03d}"


def fresh_name(name: str, rng: Random) -> str:
    """Return the name with a new random label in place of a first "*": no cache has the answer to it. `rng` draws the
    label: pass a `random.SystemRandom`, so that nobody can guess it."""
    return "".join(rng.choices(_MADE_UP, k=_MADE_UP_LENGTH)) + name[1:] if name.startswith("*.") else name


def longest_name(name: str) -> str:
    """Return a name as long as those that `fresh_name` makes of this one."""
    return "x" * _MADE_UP_LENGTH + name[1:] if name.startswith("*.") else name


def encode_name(name: str) -> bytes:
    """Return `name` on the wire, uncompressed. Raises ValueError where it is no domain name."""
    if "\\" in name:
        labels = _unescaped(name)
    else:
        try:
            labels = name.encode("ascii").split(b".")
        except UnicodeEncodeError:
            raise ValueError(f"a domain name is ASCII (IDNA: write its xn-- form), not {name!r}") from None
    if labels[-1] == b"":
        labels.pop()
    if name == ".":
        labels = []
    elif not labels or not all(0 < len(label) <= LABEL_LIMIT for label in labels):
        raise ValueError(f"the labels of a domain name have 1 to {LABEL_LIMIT} bytes, which those of {name!r} have not")
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(wire) > NAME_LIMIT:
        raise ValueError(f"a domain name has at most {NAME_LIMIT} bytes on the wire, {name!r} has {len(wire)}")
    return wire


def _unescaped(name: str) -> list[bytes]:
    labels, label, rest = list[bytes](), bytearray(), iter(name)
    for char in rest:
        if char == ".":
            labels.append(bytes(label))
            label.clear()
        elif char == "\\":
            label.append(_escape_value(name, rest))
        else:
            label += char.encode("ascii", "strict")
    return [*labels, bytes(label)]


def _escape_value(name: str, rest: Iterator[str]) -> int:
    """Return the byte that an escape stands for; `rest` begins behind the backslash."""
    char = next(rest, "")
    if char not in _DIGITS:
        return ord(char) if char and ord(char) < 0x80 else _bad_escape(name)
    digits = char + next(rest, "") + next(rest, "")
    if len(digits) == 3 and set(digits) <= _DIGITS and int(digits) < 256:
        return int(digits)
    return _bad_escape(name)


def _bad_escape(name: str) -> NoReturn:
    raise ValueError(f"a backslash in a domain name is followed by a character or three digits up to 255: {name!r}")

"""Domain names on the wire and as text."""

from __future__ import annotations

import dns.name
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubesonar.core.dns.names import Reader, encode_name

LABELS = st.binary(min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=3).map(lambda labels: dns.name.Name([*labels, b""]))


def wire_of(name: dns.name.Name) -> bytes:
    return name.to_wire() or b""


@example(dns.name.Name([b"@", b""]))
@given(NAMES)
def test_a_name_survives_the_way_through_text(name: dns.name.Name) -> None:
    text, after = Reader(wire_of(name)).name(0)
    assert after == len(wire_of(name))
    assert encode_name(text) == wire_of(name)
    assert dns.name.from_text(text if text == "." else f"{text}.") == name  # with the dot, as "@" alone is an origin


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (".", b"\0"),
        ("a.example", b"\1a\7example\0"),
        ("a.example.", b"\1a\7example\0"),
        ("a\\.b.example", b"\3a.b\7example\0"),
        ("\\065\\255.x", b"\2A\xff\1x\0"),
        ("x" * 63, b"\x3f" + b"x" * 63 + b"\0"),
    ],
)
def test_text_is_read_with_escapes_and_with_or_without_its_last_dot(text: str, wire: bytes) -> None:
    assert encode_name(text) == wire


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1 to 63 bytes"),
        ("a..b", "1 to 63 bytes"),
        (".a", "1 to 63 bytes"),
        ("x" * 64, "1 to 63 bytes"),
        (".".join(["x" * 63] * 4), "at most 255 bytes"),
        ("bücher.example", "write its xn-- form"),
        ("a\\", "a backslash"),
        ("a\\25", "a backslash"),
        ("a\\256", "a backslash"),
        ("a\\2x5", "a backslash"),
    ],
)
def test_what_is_no_name_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        encode_name(text)

"""Requests signed with the keys of a mesh."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.wire.keyring import Keyring
from kubesonar.reports.signature import MOST_AGE, sign_request, why_not_signed

KEYS = Keyring({1: bytes(16), 2: bytes(range(16))}, 1)
PATH, BODY, NOW = "/api/v1/reports", b"a report", 1_000_000.0
SIGNATURE = sign_request(KEYS, PATH, BODY, NOW)


def test_a_member_believes_what_another_signed_with_any_of_its_keys() -> None:
    rotated = Keyring({1: bytes(16), 2: bytes(range(16))}, 2)
    assert why_not_signed(SIGNATURE, rotated, PATH, BODY, NOW + 1) == ""
    assert why_not_signed(sign_request(rotated, PATH, BODY, NOW), KEYS, PATH, BODY, NOW - 1) == ""


@pytest.mark.parametrize(
    ("keys", "path", "body", "now", "why"),
    [
        (KEYS, PATH, b"another", NOW, "its signature does not fit"),
        (KEYS, "/api/v1/notices", BODY, NOW, "its signature does not fit"),
        (Keyring({1: bytes(range(16))}, 1), PATH, BODY, NOW, "its signature does not fit"),
        (Keyring({3: bytes(16)}, 3), PATH, BODY, NOW, "it is signed with key 1, which is not held here"),
        (Keyring(), PATH, BODY, NOW, "it is signed with key 1, which is not held here"),
        (KEYS, PATH, BODY, NOW + MOST_AGE + 1, "it was signed 61 s ago: it is repeated, or the clocks differ"),
        (KEYS, PATH, BODY, NOW - MOST_AGE - 1, "it was signed -61 s ago: it is repeated, or the clocks differ"),
    ],
)
def test_what_is_not_just_that_from_a_member_just_now_is_refused(
    keys: Keyring, path: str, body: bytes, now: float, why: str
) -> None:
    assert why_not_signed(SIGNATURE, keys, path, body, now) == why


def test_a_checksum_is_no_signature() -> None:
    """Whoever has no key can make what members without keys send."""
    assert why_not_signed(sign_request(Keyring(), PATH, BODY, NOW), Keyring(), PATH, BODY, NOW) != ""


@pytest.mark.parametrize(
    "text", ["", "1", "\u0661 1000000000000 00", "1 1000000000000\u0660 00", "256 0 00", "-1 0 00"]
)
def test_what_begins_with_no_key_and_time_is_no_signature(text: str) -> None:
    assert why_not_signed(text, KEYS, PATH, BODY, NOW) == "it has no signature (x-kubesonar-signature)"


@given(st.text() | st.from_regex(r"\A[0-9]{1,4} [0-9]{1,20} [0-9a-f]{0,40}\Z"))
def test_whatever_else_is_shown_is_refused_in_a_clause(text: str) -> None:
    assert why_not_signed(text, KEYS, PATH, BODY, NOW)

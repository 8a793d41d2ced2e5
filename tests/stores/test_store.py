"""The bounds that all stores share, at their edges."""

from __future__ import annotations

import pytest

from kubesonar.stores.store import (
    CHANGES_LIMIT,
    READ_LIMIT,
    VALUE_LIMIT,
    WRITE_LIMIT,
    Delete,
    Put,
    StoreRefused,
    check_name,
    check_read,
    check_write,
)


def test_what_is_just_within_the_bounds_is_taken() -> None:
    check_write([Put("a" * 32, "x" * 253, bytes(VALUE_LIMIT), 1.0)] * (WRITE_LIMIT // VALUE_LIMIT), None)
    check_write([Delete("a", "A.b_c-1")] * CHANGES_LIMIT, None)
    check_read("a", "", "", READ_LIMIT)
    check_write([], None)


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [("A", "x", "the kind 'A' is not"), ("a", "x/y", "the name 'x/y' is not"), ("a" * 33, "x", "is not 1 to 32")],
)
def test_a_refusal_names_what_is_wrong_and_what_was_expected(kind: str, name: str, sentence: str) -> None:
    with pytest.raises(StoreRefused, match=sentence):
        check_name(kind, name)


def test_a_refusal_of_a_value_says_of_which_record() -> None:
    with pytest.raises(StoreRefused, match=f"value of a/b has {VALUE_LIMIT + 1} bytes, expected at most {VALUE_LIMIT}"):
        check_write([Put("a", "b", bytes(VALUE_LIMIT + 1))], None)
    with pytest.raises(StoreRefused, match=r"time to live of a/b is 0\.5 s, expected 1 to 1e9"):
        check_write([Put("a", "b", b"{}", 0.5)], None)

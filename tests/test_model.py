"""Names and texts that people see."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.model import LONGEST_NAME, Member, is_name, printable

REFUSED = ["", "m1\n", "\nm1", "m1 ", " m1", "a\x9b", "a\u202eb", "a\u2066", "a\u200bb", "a\u2028b", "a\x7f", "a\udc9b"]


@pytest.mark.parametrize("name", [*REFUSED, "x" * (LONGEST_NAME + 1)])
def test_a_name_has_nothing_that_a_terminal_obeys_and_no_line_break(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(ValueError, match="name and node: expected"):
        Member(name, "node", (), 1)


@pytest.mark.parametrize("name", ["m1", "node-1.eu", "nœud 1", "節点", "x" * LONGEST_NAME])
def test_other_names_are_taken(name: str) -> None:
    assert is_name(name)
    assert msgspec.json.decode(msgspec.json.encode(Member(name, "", (), 1)), type=Member).name == name


def test_a_member_with_such_a_name_is_not_decoded() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"name":"a\\n","node":"","addresses":[],"port":1}', type=Member)


def test_what_is_escaped_is_written_as_python_does() -> None:
    assert printable("a\n\x9b\u202e\U000e0001ä") == "a\\n\\x9b\\u202e\\U000e0001ä"

"""JSON that no terminal obeys, and that means the same to every parser."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.encoding import encode_json, format_json

ORDERS = "\x00\x1b\x7f\x85\x9b\xad\u061c\u180e\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\ue000\U000e0001"
"""Control characters of both sets, a soft hyphen, bidirectional and zero-width characters, separators of lines, one of
private use and a tag."""


@pytest.mark.parametrize("char", ORDERS)
@pytest.mark.parametrize("write", [encode_json, format_json])
def test_what_a_terminal_obeys_is_an_escape(char: str, write: Callable[[object], bytes]) -> None:
    told = {f"key{char}": ["ä€𝄞", char]}
    text = write(told).decode()
    assert char not in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(text) == told


def test_ordinary_text_stays_as_it_is() -> None:
    assert encode_json({"a": "ä€𝄞 \\ \n"}) == '{"a":"ä€𝄞 \\\\ \\n"}'.encode()


def test_half_a_character_is_written_as_what_it_is() -> None:
    assert json.loads(encode_json({"file": ("a\udc9b", 1)})) == {"file": ["a\\udc9b", 1]}


@given(st.recursive(st.text(), lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=10))
def test_every_text_comes_back(told: object) -> None:
    assert json.loads(encode_json(told)) == told

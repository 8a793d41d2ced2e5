"""Any text is data or refused in one clause."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubesonar.config import read_yaml


@given(st.text(alphabet="[]{}:,&*!-# \n\"'ab1?|>%@", max_size=60))
def test_any_text_is_data_or_one_clause(text: str) -> None:
    try:
        read_yaml(text)
    except ValueError as error:
        assert "\n" not in str(error)

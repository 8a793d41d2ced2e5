"""JSON in one line as Go writes it; the indented form is tested where it is served, in kubenurse's room."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kubesonar.compat.go_json import go_compact_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_it_means_the_same_in_one_line_without_what_html_would_read(value: object) -> None:
    text = go_compact_json(value)
    assert json.loads(text) == value
    assert not set("<>&\n\u2028\u2029") & set(text.decode())


def test_it_has_no_spaces_and_no_line_break() -> None:
    value = {"b": [1, None, True], "a": {"x": "<b> & c"}}
    assert go_compact_json(value) == b'{"b":[1,null,true],"a":{"x":"\\u003cb\\u003e \\u0026 c"}}'

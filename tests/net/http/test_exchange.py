from __future__ import annotations

import pytest

from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.url import parse_url


def test_a_header_cannot_break_out_of_its_line() -> None:
    with pytest.raises(ValueError, match="line ends"):
        HttpRequest.make("GET", parse_url("http://example/"), (("X", "a\r\nB: c"),))

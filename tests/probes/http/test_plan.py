from __future__ import annotations

import pytest

from kubesonar.net.http.url import parse_url
from kubesonar.probes.http.plan import get, http_plan, parse_statuses


@pytest.mark.parametrize(("text", "expected"), [("", (200, 200)), ("204", (204, 204)), ("200-399", (200, 399))])
def test_statuses(text: str, expected: tuple[int, int]) -> None:
    assert parse_statuses(text) == expected


@pytest.mark.parametrize("text", ["20", "2000", "-200", "300-200", "2xx", "\u0662\u0660\u0660", "200-300-400"])
def test_what_is_no_status(text: str) -> None:
    with pytest.raises(ValueError, match="an HTTP check expects"):
        parse_statuses(text)


def test_a_plan_is_read_once() -> None:
    plan = http_plan("http://a.example:81/x", "200-299")
    assert plan is http_plan("http://a.example:81/x", "200-299")
    assert plan.request.data.startswith(b"GET /x HTTP/1.1\r\nHost: a.example:81\r\nUser-Agent: kubesonar/")


def test_a_token_has_no_line_break() -> None:
    with pytest.raises(ValueError, match="line ends"):
        get(parse_url("http://a.example/"), "a\r\nb")

from __future__ import annotations

import pytest

from kubesonar.kube.errors import refusal, wait_wanted
from kubesonar.net.http.exchange import Response

NOON = 1_795_262_400.0
"""2026-11-21T12:00:00Z."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"7", 7.0), (b"Sat, 21 Nov 2026 12:00:09 GMT", 9.0), (b"86400", 600.0), (b"soon", 0.0), (b"", 0.0)],
)
def test_how_long_the_server_wants_to_be_left_alone(value: bytes, seconds: float) -> None:
    response = Response(429, ((b"Retry-After", value),))
    assert wait_wanted(response, NOON) == seconds
    assert refusal(response, b"", NOON).retry_after == seconds


def test_a_refusal_is_a_status_or_the_words_of_whoever_answered() -> None:
    status = refusal(Response(403), b'{"kind":"Status","reason":"Forbidden","message":"not you","code":403}', NOON)
    assert (status.status, status.reason, status.message) == (403, "Forbidden", "not you")
    proxy = refusal(Response(502), b"<html>bad \xff gateway", NOON)
    assert (proxy.status, proxy.reason, proxy.message) == (502, "", "<html>bad \ufffd gateway")

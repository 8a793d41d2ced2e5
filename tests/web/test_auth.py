"""Who may ask."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from kubesonar.config import ConfigError
from kubesonar.web import Anonymous, Authenticator, BearerToken, Request, cookie_value


def allows(authenticator: Authenticator, value: bytes | None) -> bool:
    headers = [] if value is None else [(b"authorization", value)]
    return asyncio.run(authenticator.permits(Request(headers=headers)))


def test_a_token_of_the_file_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n\nnew\n")
    bearer = BearerToken(str(path))
    for good in (b"Bearer old", b"bearer new", b"Bearer  new "):
        assert allows(bearer, good)
    for bad in (None, b"", b"Bearer", b"Bearer ", b"Basic old", b"Bearer ol", b"Bearer old\nnew", b"old", b"\xff" * 99):
        assert not allows(bearer, bad)


def test_a_changed_file_is_taken_and_a_bad_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    bearer = BearerToken(str(path))
    path.write_text("another one")
    assert allows(bearer, b"Bearer another one")
    assert not allows(bearer, b"Bearer first")
    with caplog.at_level(logging.WARNING):
        path.write_text("")
        assert all(allows(bearer, b"Bearer another one") for _ in range(5))
        path.unlink()
        assert all(allows(bearer, b"Bearer another one") for _ in range(5))
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "it holds no token; what was read before stays in force",
        "No such file or directory; what was read before stays in force",
    ]
    assert "another one" not in caplog.text
    path.write_text("third")
    assert allows(bearer, b"Bearer third")


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_file_without_token_is_refused_at_the_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match="cannot be used"):
        BearerToken(str(path))


def test_where_no_token_is_set_everybody_may() -> None:
    assert allows(Anonymous(), None)


def test_a_cookie_is_as_good_as_the_header_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text('it "is"; secret\n')
    value = cookie_value(b'it "is"; secret')
    told, untold = BearerToken(str(path), cookie=b"token"), BearerToken(str(path))

    def permitted(bearer: BearerToken, *headers: tuple[bytes, bytes]) -> bool:
        return asyncio.run(bearer.permits(Request(headers=list(headers))))

    assert permitted(told, (b"cookie", b"other=1; token=" + value + b"; more=2"))
    assert not permitted(untold, (b"cookie", b"token=" + value))
    for bad in (b"", b"token", b"token=", b"token=zz", b"token=\xff", b"tokens=" + value, b"token=" + value[:-2]):
        assert not permitted(told, (b"cookie", bad))
    assert not permitted(told, (b"cookie", b"token=" + value), (b"authorization", b"Bearer wrong"))

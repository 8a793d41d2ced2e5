"""Who gets to see the token."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.compat.kubenurse.rig import ALONE, Running, run, working
from tests.net.certificates import Authority
from tests.net.servers import OK, Script, asked, serving
from tests.waiting import until

TOKEN = "s3cret"
REFUSED = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n"


class Strict:
    """An API server that tells its version only to those it knows, and remembers what it was shown with such a question
    (the room lists pods here too, with its token, as it must)."""

    def __init__(self, status: int = 401) -> None:
        self.heads: list[bytes] = []
        self._status = status

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asked(reader)
        if b"GET /version " in head:
            self.heads.append(head)
        writer.write(OK if f"Bearer {TOKEN}\r\n".encode() in head else REFUSED % self._status)
        await writer.drain()

    @property
    def shown(self) -> int:
        return sum(TOKEN.encode() in head for head in self.heads)


def account(folder: Path, authority: Authority) -> dict[str, str]:
    """The service account that `authority` vouches for the API server of."""
    (folder / "ca.crt").write_bytes(authority.file.read_bytes())
    (folder / "token").write_text(TOKEN)
    return {**ALONE, "KUBENURSE_SERVICE_ACCOUNT": str(folder), "KUBENURSE_CHECK_API_SERVER_DIRECT": "true"}


def against(
    tmp_path: Path, script: Script, certified: Authority, **environ: str
) -> tuple[Running, dict[str, object], str]:
    """What a room finds of an API server that shows a certificate of `certified`."""

    async def scenario() -> tuple[Running, dict[str, object], str]:
        async with serving(script, context=certified.server("127.0.0.1")) as port:
            where = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
            async with working({**where, **environ}) as room:
                return room, await room.alive(), await room.metrics()

    return run(scenario())


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("insecure", ["true", "false"])
def test_kn13_the_token_is_shown_where_an_anonymous_request_is_refused(
    tmp_path: Path, status: int, insecure: str
) -> None:
    authority, server = Authority(tmp_path), Strict(status)
    environ = account(tmp_path, authority)
    _, said, metrics = against(tmp_path, server, authority, **environ, KUBENURSE_INSECURE=insecure)
    assert said["api_server_direct"] == "ok"
    assert TOKEN.encode() not in server.heads[0]
    assert server.shown >= 1
    assert "kubenurse_errors_total" not in metrics
    assert (
        f'kubenurse_httpclient_requests_total{{type="api_server_direct",code="{status}",method="get"}} 1\n' in metrics
    )


def test_kn13_nobody_sees_it_over_a_connection_that_is_not_verified(tmp_path: Path) -> None:
    authority, impostor, server = Authority(tmp_path), Authority(tmp_path, "other"), Strict()
    environ = account(tmp_path, authority)
    _, said, metrics = against(tmp_path, server, impostor, **environ, KUBENURSE_INSECURE="true")
    assert "issuer is not known" in str(said["api_server_direct"])
    assert server.heads
    assert not server.shown
    assert 'event="tls_handshake_done"' in metrics


def test_kn13_it_is_not_shown_where_nobody_asked_for_it(tmp_path: Path) -> None:
    authority, heads = Authority(tmp_path), []

    async def happy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asked(reader)
        if b"GET /version " in head:
            heads.append(head)
        writer.write(OK)

    _, said, _ = against(tmp_path, happy, authority, **account(tmp_path, authority))
    assert said["api_server_direct"] == "ok"
    assert heads
    assert not any(b"uthorization" in head for head in heads)


def test_kn13_neither_a_redirect_nor_an_extra_check_of_a_version_sees_it(tmp_path: Path) -> None:
    authority, foreign = Authority(tmp_path), Strict()

    async def scenario() -> dict[str, object]:
        async with AsyncExitStack() as stack:
            elsewhere = await stack.enter_async_context(serving(foreign, context=authority.server("127.0.0.1")))

            async def sending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                known = TOKEN.encode() in await asked(reader)
                away = f"HTTP/1.1 302 F\r\nLocation: https://127.0.0.1:{elsewhere}/\r\nContent-Length: 0\r\n\r\n"
                writer.write(away.encode() if known else REFUSED % 401)

            port = await stack.enter_async_context(serving(sending, context=authority.server("127.0.0.1")))
            environ = {
                **account(tmp_path, authority),
                "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                "KUBERNETES_SERVICE_PORT": str(port),
                "KUBENURSE_EXTRA_CHECKS": f"x:https://127.0.0.1:{elsewhere}/version",
            }
            room = await stack.enter_async_context(working(environ))
            await until(lambda: len(foreign.heads) > 4)
            said: dict[str, object] = await room.alive()
            return said

    said = run(scenario())
    assert said["api_server_direct"] == "401 Unauthorized"
    assert not foreign.shown


def test_kn14_without_a_readable_token_it_is_asked_without(tmp_path: Path) -> None:
    authority, server = Authority(tmp_path), Strict()
    environ = account(tmp_path, authority)
    (tmp_path / "token").unlink()
    _, said, metrics = against(tmp_path, server, authority, **environ)
    assert said["api_server_direct"] == "401 Unauthorized"
    assert 'kubenurse_errors_total{type="api_server_direct",event="status_code_401"}' in metrics


def test_kn12_an_extra_ca_that_cannot_be_used_leaves_the_others_in_force(tmp_path: Path) -> None:
    authority, server = Authority(tmp_path), Strict()
    environ = account(tmp_path, authority)
    for bad in (tmp_path / "missing.pem", tmp_path / "bad.pem"):
        (tmp_path / "bad.pem").write_text("no certificate")
        _, said, _ = against(tmp_path, server, authority, **environ, KUBENURSE_EXTRA_CA=str(bad))
        assert said["api_server_direct"] == "ok"

"""Listeners with certificates that change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import pytest
import trustme

from kubesonar.config import ConfigError
from kubesonar.web import Listener, ListenOptions, Reply, Request, Server
from tests.web.support import ask, hello, port_of, run

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def certify(authority: trustme.CA, path: Path) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path))


async def serial_over_tls(port: int, authority: trustme.CA) -> int:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate = writer.get_extra_info("peercert")
    writer.write(REQUEST)
    assert (await reader.read()).endswith(b"GET / 0")
    writer.close()
    return int(certificate["serialNumber"], 16)


def test_a_changed_certificate_is_taken_and_a_broken_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority, path = trustme.CA(), tmp_path / "tls.pem"
    certify(authority, path)

    async def work() -> list[int]:
        server = Server([Listener(ListenOptions(address="127.0.0.1:0", certificate_file=str(path)), hello)])
        await server.start()
        serials = [await serial_over_tls(port_of(server), authority)]
        for change in (lambda: certify(authority, path), lambda: path.write_text("broken")):
            change()
            await asyncio.sleep(1.05)  # files are looked at once a second
            serials.append(await serial_over_tls(port_of(server), authority))
        await server.stop(1)
        return serials

    with caplog.at_level(logging.INFO):
        first, renewed, after_broken = run(work)
    assert first != renewed == after_broken
    assert "what was read before stays in force" in caplog.text


def test_handlers_know_whether_the_connection_is_encrypted(tmp_path: Path) -> None:
    authority, path = trustme.CA(), tmp_path / "tls.pem"
    certify(authority, path)

    async def said(request: Request) -> Reply:
        return Reply(request.scheme.encode())

    async def work() -> list[bytes]:
        plain, secret = (ListenOptions(address="127.0.0.1:0", certificate_file=file) for file in ("", str(path)))
        server = Server([Listener(plain, said), Listener(secret, said)])
        await server.start()
        context = ssl.create_default_context()
        authority.configure_trust(context)
        answers = []
        for address, trust in zip(server.addresses, (None, context), strict=True):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address[1]), ssl=trust)
            writer.write(REQUEST)
            answers.append((await reader.read()).rpartition(b"\r\n")[2])
            writer.close()
        await server.stop(1)
        return answers

    assert run(work) == [b"http", b"https"]


def test_a_client_without_tls_does_not_disturb(tmp_path: Path) -> None:
    authority, path = trustme.CA(), tmp_path / "tls.pem"
    certify(authority, path)

    async def work() -> int:
        server = Server([Listener(ListenOptions(address="127.0.0.1:0", certificate_file=str(path)), hello)])
        await server.start()
        try:
            await ask(server, REQUEST)
        except ConnectionError:
            logging.getLogger(__name__).info("cut off, as it may be")
        serial = await serial_over_tls(port_of(server), authority)
        await server.stop(1)
        return serial

    assert run(work)


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_a_certificate_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tls.pem"
    if content is not None:
        path.write_text(content)

    async def work() -> None:
        await Server([Listener(ListenOptions(address="127.0.0.1:0", certificate_file=str(path)), hello)]).start()

    with pytest.raises(ConfigError, match=r"cannot be used: (?!\[Errno)"):
        run(work)

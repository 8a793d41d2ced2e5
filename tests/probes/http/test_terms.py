"""The token: shown after a refusal only, to the API server's own address only, over verified TLS only."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar.model import Check, Fault, Kind, Network, Observation, Phase
from kubesonar.model import Path as Way
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.http.terms import Bearer, Terms
from kubesonar.probes.source import ProbeSource
from tests.net.certificates import Authority
from tests.net.rig import run
from tests.net.servers import asked, serving

TOKEN = "s3cret.t0ken"
REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnone"


class ApiServer:
    """Answers 200 who shows the token, else `refusal`; remembers every request, and how many connections there were."""

    def __init__(self, refusal: bytes = REFUSAL, token: str = TOKEN) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self.token = token
        self._refusal = refusal

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            request = await asked(reader)
            self.heard.append(request)
            shown = f"authorization: bearer {self.token}".encode() in request.lower()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" if shown else self._refusal)
            await writer.drain()

    @property
    def saw_token(self) -> bool:
        return any(b"authorization" in request.lower() for request in self.heard)


class Hosts(Resolver):
    """Knows one name."""

    async def resolve(self, host: str, deadline: Deadline, family: int = 0) -> list[str]:
        return ["127.0.0.1"] if host == "kubernetes.default.svc.cluster.local." else [host]


class Careless(CaContexts):
    """Verifies nobody."""

    def context(self, path: str) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def look(
    server: ApiServer,
    folder: Path,
    change: Callable[[Check, Bearer], tuple[Check, Bearer]] = lambda check, bearer: (check, bearer),
    times: int = 1,
    **more: Any,
) -> list[Observation]:
    """The check of an API server, as `change` makes it."""
    authority = Authority(folder)
    context = authority.server("127.0.0.1", "kubernetes.default.svc.cluster.local")

    async def scenario() -> list[Observation]:
        async with serving(server, context=None if more.pop("plain", False) else context) as port:
            file = str(authority.file)
            check = Check(
                "api", Kind.HTTP, Way.API_DIRECT, "api-server", "127.0.0.1", request=f"https://127.0.0.1:{port}/version",
                timeout=10.0, trust=file,
            )  # fmt: skip
            check, bearer = change(check, Bearer("127.0.0.1", port, file, lambda: server.token))
            probe = HttpProbe(
                ProbeSource("node-1", Network.POD),
                HttpOptions(),
                terms={"api": Terms(bearer)},
                resolver=Hosts(),
                **more,
            )
            seen = [await probe(check) for _ in range(times)]
            probe.close()
            return seen

    return run(scenario())


def changed(value: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(value, **fields)


def test_not_shown_to_a_server_that_answers_without(tmp_path: Path) -> None:
    server = ApiServer(refusal=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    (seen,) = look(server, tmp_path)
    assert (seen.fault, len(server.heard)) == (None, 1)
    assert not server.saw_token


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_shown_after_a_refusal_over_the_same_connection(status: str, tmp_path: Path) -> None:
    server = ApiServer(refusal=REFUSAL.replace(b"401 Unauthorized", status.encode()))
    (seen,) = look(server, tmp_path)
    assert (seen.fault, seen.code, seen.received) == (None, 200, 1)
    assert [b"authorization" in request.lower() for request in server.heard] == [False, True]
    assert server.connections == 1
    phases = [span.phase for span in seen.phases]
    assert phases == [Phase.CONNECT, Phase.TLS, Phase.WRITE, Phase.FIRST_BYTE, Phase.BODY]


def test_asked_without_again_each_time_and_read_anew(tmp_path: Path) -> None:
    server = ApiServer()
    tokens = iter(("first", "second"))

    def rotate(check: Check, bearer: Bearer) -> tuple[Check, Bearer]:
        def read() -> str:
            server.token = next(tokens)
            return server.token

        return check, changed(bearer, token=read)

    seen = look(server, tmp_path, rotate, times=2)
    assert [one.fault for one in seen] == [None, None]
    assert [b"Authorization" in request for request in server.heard] == [False, True, False, True]
    assert b"Bearer second" in server.heard[3]


def test_shown_under_the_dns_name_where_it_leads_to_the_own_address(tmp_path: Path) -> None:
    server = ApiServer()

    def by_name(check: Check, bearer: Bearer) -> tuple[Check, Bearer]:
        url = f"https://kubernetes.default.svc.cluster.local:{bearer.port}/version"
        return changed(check, address="kubernetes.default.svc.cluster.local.", request=url), bearer

    (seen,) = look(server, tmp_path, by_name)
    assert (seen.fault, seen.code) == (None, 200)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c, b: (c, changed(b, address="10.96.0.1")), "is not the API server's own address"),
        (lambda c, b: (c, changed(b, port=b.port - 1)), "is not the API server's own address"),
        (
            lambda c, b: (
                changed(
                    c,
                    address="kubernetes.default.svc.cluster.local.",
                    request=f"https://kubernetes.default.svc.cluster.local:{b.port}/version",
                ),
                changed(b, address="10.96.0.1"),
            ),
            "is not the API server's own address",
        ),
        (lambda c, b: (c, changed(b, trust="/another/ca.crt")), "not verified by the cluster's CA"),
    ],
    ids=["other-address", "other-port", "name-leads-elsewhere", "other-ca"],
)
def test_not_shown_elsewhere(change: Callable[[Check, Bearer], tuple[Check, Bearer]], why: str, tmp_path: Path) -> None:
    server = ApiServer()
    (seen,) = look(server, tmp_path, change)
    assert (seen.fault, seen.code) == (Fault.WRONG_ANSWER, 401)
    assert why in seen.detail
    assert not server.saw_token


def test_not_shown_over_plain_http(tmp_path: Path) -> None:
    server = ApiServer()
    (seen,) = look(
        server, tmp_path, lambda c, b: (changed(c, request=c.request.replace("https", "http")), b), plain=True
    )
    assert seen.code == 401
    assert "no token is shown: the connection is not TLS" in seen.detail
    assert not server.saw_token


def test_not_shown_to_a_server_that_nobody_verified(tmp_path: Path) -> None:
    server = ApiServer()
    (seen,) = look(server, tmp_path, trust=Careless())
    assert seen.code == 401
    assert "the server's certificate is not verified" in seen.detail
    assert not server.saw_token


def test_nothing_is_asked_of_a_server_with_a_wrong_certificate(tmp_path: Path) -> None:
    server = ApiServer()
    (tmp_path / "other").mkdir()
    other = str(Authority(tmp_path / "other").file)
    (seen,) = look(server, tmp_path, lambda c, b: (changed(c, trust=other), changed(b, trust=other)))
    assert seen.fault is Fault.TLS
    assert not server.heard


@pytest.mark.parametrize("first", [b"302 Found", b"401 Unauthorized"])
def test_not_shown_after_a_redirect(first: bytes, tmp_path: Path) -> None:
    """Neither where the redirect leads nor, after it, here: it is no refusal."""
    elsewhere = ApiServer()

    async def scenario() -> tuple[ApiServer, Observation]:
        async with serving(elsewhere) as other:
            location = b"Location: http://127.0.0.1:%d/\r\n" % other
            server = ApiServer(
                b"HTTP/1.1 " + first + b"\r\n" + location + b"Content-Length: 0\r\n\r\n", token="unheard"
            )
            authority = Authority(tmp_path)
            async with serving(server, context=authority.server("127.0.0.1")) as port:
                url, file = f"https://127.0.0.1:{port}/version", str(authority.file)
                bearer = Bearer("127.0.0.1", port, file, lambda: TOKEN)
                probe = HttpProbe(ProbeSource("node-1", Network.POD), HttpOptions(), terms={"api": Terms(bearer)})
                check = Check(
                    "api", Kind.HTTP, Way.API_DIRECT, "api", "127.0.0.1", request=url, timeout=10.0, trust=file
                )
                return server, await probe(check)

    server, seen = run(scenario())
    assert seen.fault is Fault.WRONG_ANSWER
    assert server.saw_token == (first[:3] == b"401")
    assert not elsewhere.heard


def test_other_checks_of_the_same_server_have_no_token(tmp_path: Path) -> None:
    server = ApiServer()
    (seen,) = look(server, tmp_path, lambda c, b: (changed(c, id="http/external/mine"), b))
    assert seen.code == 401
    assert not server.saw_token


def test_a_token_that_cannot_be_read_is_our_own_trouble(tmp_path: Path) -> None:
    def unreadable() -> str:
        raise Failed(Fault.LOCAL, "the token cannot be read: permission denied")

    (seen,) = look(ApiServer(), tmp_path, lambda c, b: (c, changed(b, token=unreadable)))
    assert (seen.fault, seen.code) == (Fault.LOCAL, 401)
    assert "permission denied" in seen.detail


def test_a_token_that_is_refused_too_is_a_wrong_answer(tmp_path: Path) -> None:
    server = ApiServer()
    (seen,) = look(server, tmp_path, lambda c, b: (c, changed(b, token=lambda: "stale")))
    assert (seen.fault, seen.code) == (Fault.WRONG_ANSWER, 401)
    assert len(server.heard) == 2

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from kubesonar.compat.kubenurse.checks.client import CheckClient, CheckResponse, CheckTarget
from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from kubesonar.compat.kubenurse.go.httptrace import failure, timeline
from kubesonar.model import Fault, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.probes.source import ProbeSource
from tests.compat.kubenurse.rig import run
from tests.net.certificates import Authority
from tests.net.servers import OK, Script, asked, saying, serving, silent
from tests.ports import free_port

PLAIN = ["connect_start", "connect_done", "got_conn", "wrote_request", "got_first_resp_byte"]
SECURE = [*PLAIN[:2], "tls_handshake_start", "tls_handshake_done", *PLAIN[2:]]


def sending_to(url: str, status: str = "302 Found") -> Script:
    return saying(f"HTTP/1.1 {status}\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode())


def ask(
    url: str, *, keep: bool = False, context: ssl.SSLContext | None = None
) -> tuple[CheckResponse, list[Observation]]:
    """One check, outside of any other scenario."""
    return run(asking(url, keep=keep, context=context))


async def asking(
    url: str,
    *,
    times: int = 1,
    keep: bool = False,
    context: ssl.SSLContext | None = None,
    anew: bool = False,
    environ: dict[str, str] | None = None,
) -> tuple[CheckResponse, list[Observation]]:
    """With `anew`, under another TLS context each time, as after a rotation of CAs."""
    context = context or blind()
    seen: list[Observation] = []
    getter = CheckClient(ProbeSource("me", Network.POD), seen.append, Proxies(environ or {}), keep=keep, period=5.0)
    try:
        for _ in range(times):
            answer = await getter.get(CheckTarget("x", Way.EXTERNAL, url, (("X-Mine", "1"),)), context)
            if anew:
                del context  # its id is free again
                context = blind()
    finally:
        getter.close()
    return answer, seen


def blind() -> ssl.SSLContext:
    return TrustContexts((), insecure=True).context()


def against(
    script: Script, url: Callable[[int], str] = "http://127.0.0.1:{}/a".format, **how: object
) -> tuple[CheckResponse, list[Observation]]:
    async def scenario() -> tuple[CheckResponse, list[Observation]]:
        async with serving(script) as port:
            return await asking(url(port), **how)  # type: ignore[arg-type]

    return run(scenario())


def names(seen: Observation) -> list[str]:
    return [event for event, _ in timeline(seen)]


def test_kn15_a_final_200_is_ok() -> None:
    answer, seen = against(saying(OK))
    assert (answer.status, answer.text) == (200, "ok")
    assert names(seen[0]) == PLAIN
    offsets = [offset for _, offset in timeline(seen[0])]
    assert offsets == sorted(offsets)
    assert seen[0].fault is None


def test_kn15_any_other_status_is_its_status_line() -> None:
    for status in ("204 No Content", "404 Not Found", "503 Service Unavailable", "599 Whatever"):
        answer, seen = against(saying(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()))
        assert answer.text == (status if status[:3] != "599" else "599")
        assert failure(seen[0]) == f"status_code_{status[:3]}"


def test_a_name_is_looked_up_first() -> None:
    answer, seen = against(saying(OK), "http://localhost:{}/a".format)
    assert answer.text == "ok"
    assert names(seen[0]) == ["dns_start", "dns_done", *PLAIN]


def test_kn16_a_name_without_address_fails_the_look_up() -> None:
    name = "a" * 70 + ".example"  # longer than a label may be, so nobody outside is asked
    answer, (seen,) = ask(f"http://{name}/")
    assert answer.text.startswith(f'Get "http://{name}/": {name}')
    assert (failure(seen), names(seen)) == ("dns_done", ["dns_start"])


def test_kn16_a_refused_connection_fails_the_connect() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    answer, (seen,) = ask(url)
    assert answer.text == f'Get "{url}": Connection refused (ECONNREFUSED)'
    assert (failure(seen), names(seen)) == ("connect_done", ["connect_start"])


def test_kn16_of_several_addresses_only_all_failing_is_a_failure() -> None:
    """localhost is ::1 and 127.0.0.1 where it is both; somebody listens on one of them only."""
    answer, seen = against(saying(OK), "http://localhost:{}/".format)
    assert answer.text == "ok"
    assert len(seen) == 1


def test_kn16_a_bad_certificate_fails_the_handshake(tmp_path: Path) -> None:
    async def scenario() -> tuple[CheckResponse, list[Observation]]:
        async with serving(saying(OK), context=Authority(tmp_path).server("127.0.0.1")) as port:
            return await asking(f"https://127.0.0.1:{port}/", context=TrustContexts((), insecure=False).context())

    answer, (seen,) = run(scenario())
    assert "issuer is not known" in answer.text
    assert failure(seen) == "tls_handshake_done"
    assert names(seen) == ["connect_start", "connect_done", "tls_handshake_start"]


def test_kn35_insecure_takes_any_certificate_and_a_known_authority_needs_no_insecurity(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def scenario() -> list[tuple[CheckResponse, list[Observation]]]:
        async with serving(saying(OK), context=authority.server("127.0.0.1")) as port:
            contexts = (blind(), TrustContexts((str(authority.file),), insecure=False).context())
            return [await asking(f"https://127.0.0.1:{port}/", context=context) for context in contexts]

    for answer, seen in run(scenario()):
        assert answer.text == "ok"
        assert names(seen[0]) == SECURE


def test_kn16_a_server_that_hangs_up_is_a_failed_round_trip() -> None:
    answer, (seen,) = against(saying(b""))
    assert "closed the connection" in answer.text
    assert failure(seen) == "round_trip_error"
    assert names(seen) == PLAIN[:-1]


def test_kn16_garbage_is_a_failed_round_trip() -> None:
    _, (seen,) = against(saying(b"SSH-2.0-x\r\n\r\n"))
    assert failure(seen) == "round_trip_error"


def test_a_silent_server_is_given_six_seconds_in_all() -> None:
    answer, (seen,) = against(silent)
    assert 5.9 <= answer.seconds < 12
    assert failure(seen) == "round_trip_error"
    assert seen.fault is Fault.TIMEOUT


def test_the_body_is_not_waited_for() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await reader.read()

    answer, _ = against(endless)
    assert answer.text == "ok"
    assert answer.seconds < 3


def test_kn15_redirects_are_followed_and_no_failures() -> None:
    async def scenario() -> tuple[CheckResponse, list[Observation]]:
        async with AsyncExitStack() as stack:
            end = await stack.enter_async_context(serving(saying(OK)))
            start = await stack.enter_async_context(serving(sending_to(f"http://127.0.0.1:{end}/b")))
            return await asking(f"http://127.0.0.1:{start}/a")

    answer, seen = run(scenario())
    assert answer.text == "ok"
    assert [(one.code, one.fault) for one in seen] == [(302, None), (200, None)]
    assert timeline(seen[1])[0][1] < 1


def test_kn15_what_a_redirect_leads_to_decides() -> None:
    async def scenario() -> tuple[CheckResponse, list[Observation]]:
        async with AsyncExitStack() as stack:
            end = await stack.enter_async_context(serving(saying(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")))
            start = await stack.enter_async_context(serving(sending_to(f"http://127.0.0.1:{end}/b")))
            return await asking(f"http://127.0.0.1:{start}/a")

    answer, seen = run(scenario())
    assert answer.text == "500 Internal Server Error"
    assert [one.fault for one in seen] == [None, Fault.WRONG_ANSWER]


def test_redirects_are_bounded() -> None:
    answer, seen = against(sending_to("/again"))
    assert answer.text == "stopped after 10 redirects"
    assert len(seen) == 11
    assert [one.fault for one in seen[:-1]] == [None] * 10


def test_a_redirect_to_what_cannot_be_asked_is_a_failure() -> None:
    answer, seen = against(sending_to("ftp://127.0.0.1/"))
    assert answer.text.startswith('Get "ftp://127.0.0.1/"')
    assert failure(seen[-1]) == "round_trip_error"


def test_a_redirect_without_a_place_is_its_status() -> None:
    answer, _ = against(saying(b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n\r\n"))
    assert answer.text == "301 Moved Permanently"


def test_kn13_headers_do_not_follow_a_redirect() -> None:
    heads: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await asked(reader))
        writer.write(OK if len(heads) > 1 else b"HTTP/1.1 307 T\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")

    answer, _ = against(listen)
    assert answer.text == "ok"
    assert [b"X-Mine: 1" in head for head in heads] == [True, False]


def test_a_url_that_is_none_is_a_failure_of_its_check() -> None:
    answer, (seen,) = ask("/alwayshappy")
    assert "a URL is" in answer.text
    assert (failure(seen), names(seen)) == ("round_trip_error", [])


def test_kn36_connections_are_kept_only_where_asked_for() -> None:
    async def scenario(keep: bool, anew: bool = False) -> tuple[int, list[Observation]]:
        connections = 0

        async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await saying(OK, stay=True)(reader, writer)

        async with serving(counting) as port:
            answer, seen = await asking(f"http://127.0.0.1:{port}/a", times=3, keep=keep, anew=anew)
            assert answer.text == "ok"
            return connections, seen

    connections, seen = run(scenario(False))
    assert (connections, names(seen[2])) == (3, PLAIN)
    connections, seen = run(scenario(True))
    assert (connections, names(seen[2])) == (1, PLAIN[2:])
    connections, seen = run(scenario(True, anew=True))
    assert (connections, names(seen[2])) == (3, PLAIN)

"""The endpoints, one by one, and how the room leaves."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.compat.go_json import go_json
from kubesonar.config import ConfigError
from tests.compat.kubenurse.rig import ALONE, Running, get, neighbour, run, working
from tests.net.servers import asked, saying, serving
from tests.ports import free_port
from tests.waiting import until

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_means_the_same_in_gos_writing(value: object) -> None:
    text = go_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text.decode())
    assert text.endswith(b"\n")


def test_json_is_written_as_go_writes_it() -> None:
    value = {"a": "<b> & \u2028", "n": 2**64 - 1, "l": [1, {"x": "y"}], "none": [], "empty": {}}
    assert go_json(value).decode() == (
        "{\n"
        ' "a": "\\u003cb\\u003e \\u0026 \\u2028",\n'
        ' "n": 18446744073709551615,\n'
        ' "l": [\n'
        "  1,\n"
        "  {\n"
        '   "x": "y"\n'
        "  }\n"
        " ],\n"
        ' "none": [],\n'
        ' "empty": {}\n'
        "}\n"
    )


def test_kn04_a_request_is_told_what_it_looked_like() -> None:
    async def scenario() -> None:
        async with working(ALONE) as room:
            await room.alive()
            said = await room.get("/alive?x=<1>&y=2", "user-agent: curl/8", "X-custom-HEADER: a", "x-custom-header: b")
            assert said.status == 200
            assert said.headers["content-type"] == "text/plain; charset=utf-8"
            assert said.text.startswith('{\n "hostname": "me",\n "headers": {\n')
            assert '"request_uri": "/alive?x=\\u003c1\\u003e\\u0026y=2"' in said.text
            tree = said.tree
            assert tree["user_agent"] == "curl/8"
            assert tree["headers"]["X-Custom-Header"] == ["a", "b"]
            assert "Host" not in tree["headers"]
            assert tree["remote_addr"].startswith("127.0.0.1:")
            assert tree["neighbourhood_state"] == tree["me_ingress"] == "skipped"

    run(scenario())


def test_kn02_before_the_first_round_alive_fails_without_a_body() -> None:
    async def scenario() -> None:
        async with working({**ALONE, "KUBENURSE_CHECK_INTERVAL": "1h"}) as room:
            said = await room.get("/alive")
            assert (said.status, said.body) == (500, b"")

    run(scenario())


def test_kn03_on_access_alive_runs_the_checks_and_keeps_their_result_for_a_moment() -> None:
    async def scenario() -> None:
        calls = []

        async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            calls.append(await asked(reader))
            writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")

        async with serving(counting) as port:
            environ = {
                **ALONE,
                "KUBENURSE_CHECK_INTERVAL": "1h",
                "KUBENURSE_ALIVE": "access",
                "KUBENURSE_EXTRA_CHECKS": f"extra:http://127.0.0.1:{port}/",
            }
            async with working(environ) as room:
                answers = await asyncio.gather(*(room.get("/alive") for _ in range(5)))
                answers.append(await room.get("/alive"))
                assert {answer.status for answer in answers} == {500}
                assert answers[-1].tree["last_check_result"]["extra"] == "500 Internal Server Error"
                assert len(calls) == 1

    run(scenario())


def test_kn01_always_200_where_that_is_wanted() -> None:
    async def scenario() -> None:
        environ = {**ALONE, "KUBENURSE_EXTRA_CHECKS": f"extra:http://127.0.0.1:{free_port()}/"}
        async with working({**environ, "KUBENURSE_ALIVE_ALWAYS_200": "true"}) as room:
            said = await room.alive()
            assert "refused" in said["last_check_result"]["extra"]
            assert (await room.get("/alive")).status == 200

    run(scenario())


def test_kn33_a_user_name_in_an_extra_checks_url_is_shown_to_its_server_alone() -> None:
    async def scenario() -> None:
        heads: list[bytes] = []

        async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await asked(reader))
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

        async with (
            serving(counting) as port,
            working({**ALONE, "KUBENURSE_EXTRA_CHECKS": f"x:http://me:p%3Aw@127.0.0.1:{port}/"}) as room,
        ):
            assert (await room.alive())["last_check_result"]["x"] == "401 Unauthorized"
            assert b"Authorization: Basic bWU6cDp3\r\n" in heads[0]
            assert b"me:p" not in (await room.get("/alive")).body

    run(scenario())


def test_kn33_an_extra_checks_name_is_its_type() -> None:
    async def scenario() -> None:
        async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as port:
            environ = {**ALONE, "KUBENURSE_EXTRA_CHECKS": f"shop front:http://127.0.0.1:{port}/"}
            async with working(environ) as room:
                said = await room.alive()
                assert said["last_check_result"]["shop front"] == "ok"
                assert 'kubenurse_httpclient_requests_total{type="shop front",code="200"' in await room.metrics()

    run(scenario())


async def _says(room: Running, check: str, text: str) -> bool:
    said = await room.get("/alive")
    return bool(said.body) and said.tree["last_check_result"][check] == text


def test_the_log_tells_what_began_to_fail_and_what_is_well_again_and_nothing_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        port = free_port()
        async with neighbour("127.0.0.1", port) as older:
            environ = {**ALONE, "KUBENURSE_EXTRA_CHECKS": f"shop:http://127.0.0.1:{port}/"}
            async with working(environ) as room:
                for status, text in ((500, "500 Internal Server Error"), (404, "404 Not Found"), (200, "ok")):
                    older.status = status
                    await until(lambda: _says(room, "shop", text))  # noqa: B023
                    seen = len(older.asked)
                    await until(lambda: len(older.asked) > seen + 2)  # noqa: B023

    with caplog.at_level("INFO", "kubesonar.kubenurse"):
        run(scenario())
    said = [(record.levelname, record.getMessage()) for record in caplog.records if "shop" in record.getMessage()]
    assert said[-3:] == [
        ("WARNING", "shop: 500 Internal Server Error"),
        ("WARNING", "shop: 404 Not Found"),
        ("INFO", "shop: well again"),
    ]
    assert len(said) == 3


def test_kn05_without_neighbours_the_array_is_empty() -> None:
    async def scenario() -> None:
        async with working({**ALONE, "KUBENURSE_CHECK_NEIGHBOURHOOD": "true", "KUBECONFIG": "/nowhere"}) as room:
            said = await room.alive()
            assert said["neighbourhood"] == said["last_check_result"]["neighbourhood"] == []
            assert said["neighbourhood_state"].startswith("kubeconfig /nowhere")
            assert (await room.get("/alive")).status == 500

    run(scenario())


def test_kn37_a_check_without_a_url_fails() -> None:
    async def scenario() -> None:
        async with working({**ALONE, "KUBENURSE_CHECK_ME_SERVICE": "true"}) as room:
            said = await room.alive()
            assert 'Get "/alwayshappy": a URL is' in said["me_service"]
            assert 'kubenurse_errors_total{type="me_service",event="round_trip_error"}' in await room.metrics()

    run(scenario())


@pytest.mark.parametrize("path", ["/", "/nothing", "/alive/", "/metrics/x"])
def test_kn06_every_other_path_leads_to_alive(path: str) -> None:
    async def scenario() -> None:
        async with working(ALONE) as room:
            said = await room.get(path)
            assert (said.status, said.headers["location"]) == (301, "/alive")

    run(scenario())


def test_kn43_urls_may_end_with_a_slash() -> None:
    async def scenario() -> None:
        port = free_port()
        url = {"KUBENURSE_SERVICE_URL": f"http://127.0.0.1:{port}/", "KUBENURSE_CHECK_ME_SERVICE": "true"}
        async with working({**ALONE, **url}, port=port) as room:
            assert (await room.alive())["me_service"] == "ok"
            assert "kubenurse_errors_total" not in await room.metrics()

    run(scenario())


@pytest.mark.parametrize("path", ["//alwayshappy", "/./alwayshappy", "/x/../alwayshappy"])
def test_kn43_an_unclean_path_leads_to_the_clean_one(path: str) -> None:
    async def scenario() -> None:
        async with working(ALONE) as room:
            said = await room.get(path)
            assert (said.status, said.headers["location"]) == (301, "/alwayshappy")

    run(scenario())


def test_kn08_any_method_is_taken() -> None:
    async def scenario() -> None:
        async with working(ALONE) as room:
            await room.alive()
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                for path in ("/alwayshappy", "/ready", "/alive", "/metrics"):
                    assert (await room.get(path, method=method)).status == 200
            assert (await room.get("/alive", method="HEAD")).body == b""

    run(scenario())


def test_kn07_what_an_ingress_forwards_reaches_neither_metrics_nor_alive() -> None:
    async def scenario() -> None:
        environ = {**ALONE, "KUBENURSE_INGRESS_URL": "https://kubenurse.example.com"}
        async with working(environ) as room:
            await room.alive()
            for path in ("/metrics", "/alive"):
                for header in ("x-forwarded-for: 203.0.113.7", "host: kubenurse.example.com"):
                    said = await room.get(path, header)
                    assert said.status == 403
                    assert "KUBENURSE_ALLOW_FORWARDED" in said.text
            assert (await room.get("/alwayshappy", "x-forwarded-for: 203.0.113.7")).status == 200
            assert (await room.get("/", "x-forwarded-for: 203.0.113.7")).status == 301
        async with working({**environ, "KUBENURSE_ALLOW_FORWARDED": "true"}) as room:
            await room.alive()
            assert (await room.get("/alive", "x-forwarded-for: 203.0.113.7")).status == 200

    run(scenario())


def test_kn21_who_asks_is_counted() -> None:
    async def scenario() -> None:
        async with working(ALONE) as room:
            for origin in ("a", "b", "a"):
                made_up = "KUBENURSE-NEIGHBOUR-ORIGIN: another"
                said = await room.get("/alwayshappy", f"KUBENURSE-NEIGHBOUR-ORIGIN: {origin}", made_up)
                assert (said.status, said.body) == (200, b"")
            await room.get("/alwayshappy")
            assert "kubenurse_neighbourhood_incoming_checks 2\n" in await room.metrics()

    run(scenario())


def test_metrics_are_plain_text_and_never_compressed() -> None:
    async def scenario() -> None:
        async with working({**ALONE, "KUBENURSE_EXTRA_CHECKS": "x:http://127.0.0.1:1/"}) as room:
            await until(lambda: room.room)
            said = await room.get("/metrics", "accept-encoding: gzip")
            assert said.headers["content-type"].startswith("text/plain")
            assert "content-encoding" not in said.headers

    run(scenario())


def test_kn30_it_leaves_in_order() -> None:
    async def scenario() -> None:
        calls = []

        async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            calls.append(1)
            await saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(reader, writer)

        async with serving(counting) as port:
            environ = {
                **ALONE,
                "KUBENURSE_EXTRA_CHECKS": f"x:http://127.0.0.1:{port}/",
                "KUBENURSE_SHUTDOWN_DURATION": "400ms",
            }
            async with working(environ) as room:
                await room.alive()
                start = time.monotonic()
                room.leave.set()
                await room.ready(503)
                made = len(calls)
                assert (await room.get("/alwayshappy")).status == 200
                assert (await room.get("/alive")).status == 200
                await room.life
                assert time.monotonic() - start >= 0.4
                assert len(calls) <= made + 1  # one may have been on its way
                with pytest.raises(OSError, match="Connect"):
                    await get(room.port, "/alwayshappy")

    run(scenario())


def test_kn31_rounds_do_not_overlap() -> None:
    async def scenario() -> None:
        now, most, rounds = 0, 0, 0

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal now, most, rounds
            await asked(reader)
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.1)
            now -= 1
            rounds += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        async with serving(slow) as port:
            environ = {
                **ALONE,
                "KUBENURSE_CHECK_INTERVAL": "10ms",
                "KUBENURSE_EXTRA_CHECKS": f"x:http://127.0.0.1:{port}/",
            }
            async with working(environ) as room:
                await room.alive()
                await until(lambda: rounds > 3)
        assert most == 1

    run(scenario())


def test_kn39_the_tls_listener_reads_its_certificate_again(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

    def issue(name: str) -> None:
        made = authority.issue_cert(name, "127.0.0.1")
        made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        made.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))

    async def serial(port: int) -> str:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            return str(writer.get_extra_info("ssl_object").getpeercert()["serialNumber"])
        finally:
            writer.close()

    async def scenario() -> None:
        issue("first.example")
        port, secure = free_port(), free_port()
        environ = {
            **ALONE,
            "KUBENURSE_USE_TLS": "true",
            "KUBENURSE_CERT_FILE": str(tmp_path / "cert.pem"),
            "KUBENURSE_CERT_KEY": str(tmp_path / "key.pem"),
            "KUBENURSE_LISTEN_TLS": f"127.0.0.1:{secure}",
            "KUBENURSE_EXTRA_CA": str(tmp_path / "ca.pem"),
            "KUBENURSE_EXTRA_CHECKS": f"self:https://127.0.0.1:{secure}/alwayshappy",
        }
        async with working(environ, port=port) as room:
            assert (await get(secure, "/ready", context=context)).status == 200
            assert (await room.get("/ready")).status == 200
            assert (await room.alive())["last_check_result"]["self"] == "ok"
            before = await serial(secure)
            issue("second.example")

            async def changed() -> bool:
                return await serial(secure) != before

            await until(changed)

    run(scenario())


def test_an_address_in_use_is_one_sentence() -> None:
    async def scenario() -> None:
        async with working(ALONE) as room:
            with pytest.raises(ConfigError, match="cannot listen on"):
                async with working(ALONE, port=room.port):
                    pass

    run(scenario())

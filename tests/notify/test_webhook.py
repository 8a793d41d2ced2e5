"""One notice and receivers of every kind."""

import json
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kubesonar.core.delivery.http_outcome import Outcome
from kubesonar.net.clock import SystemClock
from kubesonar.net.http.proxy.environment import NO_PROXIES, Proxies
from kubesonar.notify.options import NotifyOptions
from kubesonar.notify.receivers import configured
from kubesonar.notify.webhook import Webhook as Poster
from tests.net.certificates import Authority
from tests.net.servers import endless, saying, serving, silent
from tests.notify.receivers import Receiver, notice, options, run, status, telling

OLD = "whsec_" + "b2xk" * 8
NEW = "whsec_" + "bmV3" * 8


async def post(options: NotifyOptions, proxies: Proxies = NO_PROXIES) -> Outcome:
    (own,) = configured(options, {}, proxies)
    poster = Poster(own, SystemClock())
    try:
        return await poster.post("0123", b"{}")
    finally:
        poster.close()


def test_a_notice_arrives_as_documented() -> None:
    async def scenario() -> None:
        async with Receiver().serve() as receiver, telling(options(receiver.url)) as webhooks:
            await webhooks.notify(notice(1))
            (request,) = await receiver.heard(1)
        assert request.line == "POST /hook HTTP/1.1"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"].startswith("kubesonar/")
        assert request.id == notice(1).id == json.loads(request.body)["data"]["id"]
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 30
        assert "webhook-signature" not in request.headers
        assert "authorization" not in request.headers

    run(scenario())


def test_tls_is_verified_and_the_failure_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def scenario() -> tuple[Outcome, Outcome]:
        receiver = Receiver()
        async with receiver.serve(authority.server("localhost")):
            url = f"https://localhost:{receiver.port}/"
            return await post(options(url, ca_file=str(authority.file))), await post(options(url))

    known, unknown = run(scenario())
    assert known.delivered
    assert unknown == Outcome(detail="the certificate's issuer is not known here")


def test_a_receiver_behind_a_proxy() -> None:
    async def scenario() -> None:
        async with Receiver().serve() as proxy:
            proxies = Proxies({"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"})
            assert (await post(options("http://pager.invalid/hook"), proxies)).delivered
            (request,) = await proxy.heard(1)
        assert request.line == "POST http://pager.invalid/hook HTTP/1.1"
        assert request.headers["host"] == "pager.invalid"
        assert request.body == b"{}"

    run(scenario())


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_both_families(address: str) -> None:
    async def scenario() -> Outcome:
        async with serving(saying(status(200)), host=address.strip("[]")) as port:
            return await post(options(f"http://{address}:{port}/"))

    assert run(scenario()).delivered


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(code: int) -> None:
    async def scenario() -> None:
        elsewhere = Receiver()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(elsewhere.serve())
            redirect = saying(status(code, f"Location: {elsewhere.url}"))
            port = await stack.enter_async_context(serving(redirect))
            outcome = await post(options(f"http://127.0.0.1:{port}/"))
        assert (outcome.status, outcome.delivered, elsewhere.requests) == (code, False, [])

    run(scenario())


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_endless_bodies_are_not_read(start: bytes) -> None:
    async def scenario() -> Outcome:
        async with serving(endless(start, b"5\r\nabcde\r\n" * 100)) as port:
            return await post(options(f"http://127.0.0.1:{port}/"))

    assert run(scenario()).delivered


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"", "the server closed the connection without an answer"),
        (b"HTTP/1.1 200", "the server closed the connection in the middle of the headers"),
        (b"220 mail.example.org ESMTP\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_001 + b"\r\n", "more than 10000 headers"),
    ],
)
def test_lying_receivers(answer: bytes, detail: str) -> None:
    async def scenario() -> Outcome:
        async with serving(saying(answer)) as port:
            return await post(options(f"http://127.0.0.1:{port}/"))

    outcome = run(scenario())
    assert outcome.status == 0
    assert detail in outcome.detail


def test_a_silent_receiver_has_its_time_and_one_that_is_down_is_said() -> None:
    async def scenario() -> tuple[Outcome, Outcome]:
        async with serving(silent) as port:
            slow = await post(options(f"http://127.0.0.1:{port}/", timeout=0.2))
        return slow, await post(options(f"http://127.0.0.1:{port}/"))

    slow, down = run(scenario())
    assert "no answer within 0.2 s" in slow.detail
    assert "refused" in down.detail


def test_a_receiver_that_does_not_accept_has_less_time() -> None:
    async def blocked() -> Outcome:
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            first.setblocking(False)
            second.setblocking(False)
            first.connect_ex(listener.getsockname())
            second.connect_ex(listener.getsockname())
            return await post(options(f"http://127.0.0.1:{listener.getsockname()[1]}/", connect=0.2))

    outcome = run(blocked())
    assert "no answer within 0.2 s (connecting)" in outcome.detail


def test_retry_after_is_read() -> None:
    async def scenario() -> Outcome:
        async with serving(saying(status(429, "Retry-After: 7"))) as port:
            return await post(options(f"http://127.0.0.1:{port}/"))

    assert run(scenario()) == Outcome(429, retry_after=7.0)


def test_a_name_is_asked_only_where_its_address_is_allowed() -> None:
    async def scenario() -> tuple[Outcome, Outcome, int]:
        async with Receiver().serve() as receiver:
            url = f"http://localhost:{receiver.port}/"
            refused = await post(options(url, networks=("10.0.0.0/8", "fd00::/8")))
            asked = len(receiver.requests)
            return refused, await post(options(url, networks=("127.0.0.0/8",))), asked

    refused, granted, asked = run(scenario())
    assert "notify.networks does not allow" in refused.detail
    assert asked == 0
    assert granted.delivered

"""One request of a check: where its response leads, and the observation that it becomes."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.compat.kubenurse.checks.attempt import CheckAttempt, status_line
from kubesonar.model import Check, Fault, Kind, Network, Observation, Path, Phase, Span
from kubesonar.net.deadline import Deadline
from kubesonar.net.http.exchange import Response
from kubesonar.net.http.url import parse_url
from kubesonar.probes.source import ProbeSource

CHECK = Check("http/external/x", Kind.HTTP, Path.EXTERNAL, "x", "")
NONE_TOLERATED: frozenset[int] = frozenset()


async def _attempt(url: str = "http://host.example/a/b", after: float = 0.0) -> CheckAttempt:
    with Deadline(5) as deadline:
        await asyncio.sleep(after)
        made = CheckAttempt(CHECK, ProbeSource("me", Network.POD), deadline)
    if url:
        made.url, made.server = parse_url(url), "host.example"
    return made


def attempt(url: str = "http://host.example/a/b") -> CheckAttempt:
    return asyncio.run(_attempt(url))


def observed(
    response: Response, onward: str = "", tolerated: frozenset[int] = NONE_TOLERATED, left: int = 3
) -> Observation:
    return attempt().observation(response, onward, tolerated, left)


def redirecting(place: str, status: int = 302) -> Response:
    return Response(status, ((b"Location", place.encode()),))


@pytest.mark.parametrize(
    ("response", "onward"),
    [
        (redirecting("/c"), "http://host.example/c"),
        (redirecting("c", 301), "http://host.example/a/c"),
        (redirecting("HTTPS://other.example:8443/c", 308), "https://other.example:8443/c"),
        (redirecting("ftp://other.example/"), "ftp://other.example/"),
        (redirecting("/c", 200), ""),
        (redirecting("/c", 304), ""),
        (Response(302), ""),
    ],
)
def test_only_a_redirect_leads_on(response: Response, onward: str) -> None:
    assert attempt().onward(response) == onward


def test_what_is_no_url_leads_nowhere() -> None:
    assert attempt("").onward(redirecting("/c")) == ""


@pytest.mark.parametrize(
    ("response", "onward", "tolerated", "left", "fault", "detail"),
    [
        (Response(200), "", (), 3, None, ""),
        (Response(404), "", (), 3, Fault.WRONG_ANSWER, "404 Not Found"),
        (Response(404), "", (404,), 3, None, ""),
        (Response(302), "http://b/", (), 1, None, ""),
        (Response(302), "http://b/", (), 0, Fault.WRONG_ANSWER, "stopped after 10 redirects"),
        (Response(fault=Fault.RESET, detail="closed"), "", (404,), 3, Fault.RESET, "closed"),
        (Response(200, fault=Fault.TIMEOUT, detail="no end"), "", (), 0, Fault.TIMEOUT, "no end"),
    ],
)
def test_a_status_that_is_not_tolerated_is_a_wrong_answer(
    response: Response, onward: str, tolerated: tuple[int, ...], left: int, fault: Fault | None, detail: str
) -> None:
    seen = observed(response, onward, frozenset(tolerated), left)
    assert (seen.fault, seen.detail, seen.code) == (fault, detail, response.status or None)


def test_an_observation_tells_of_this_request_alone() -> None:
    """Phases begin with the request, not with the check, whose earlier ones led here."""
    response = Response(200, phases=(Span(Phase.CONNECT, 0.5, 0.75),), address="10.0.0.9")
    seen = asyncio.run(_attempt(after=0.25)).observation(response, "", NONE_TOLERATED, 3)
    (span,) = seen.phases
    assert span.end - span.start == 0.25
    assert 0 < span.start <= 0.25
    assert (seen.check.address, seen.address, seen.family) == ("host.example", "10.0.0.9", 4)
    assert (seen.source, seen.network, seen.sent, seen.received) == ("me", Network.POD, 1, 1)


def test_what_could_not_be_asked_was_not_sent() -> None:
    response = Response(fault=Fault.WRONG_ANSWER, detail="a URL is ...")
    seen = attempt("").observation(response, "", NONE_TOLERATED, 3)
    assert (seen.sent, seen.received, seen.code) == (0, 0, None)


def test_a_status_without_a_name_is_its_number() -> None:
    assert (status_line(404), status_line(799)) == ("404 Not Found", "799")

"""The agent's paths, over a real socket."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kubesonar.api import agent_handler
from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.probe_counters import ProbeCounts
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Side, Snapshot
from kubesonar.model import Path as Way
from kubesonar.views.metrics.agent import AgentMetrics, Facts, MetricsOptions
from kubesonar.web import Anonymous, Authenticator, BearerToken
from tests.web.support import ask, get, run, serving

FACTS = Facts(version="1.0", resident=1, cpu=1.0, lag=0.0, troubles=0, dropped={})


def observation(target: str, kind: Kind, fault: Fault | None = None, side: Side = Side.SOURCE) -> Observation:
    check = Check(id=f"{kind}-{target}", kind=kind, path=Way.POD, target=target, address="::1")
    return Observation(check, "me", Network.POD, 99.0, side=side, fault=fault, received=0 if fault else 1)


class Agent:
    """A ledger with a few edges, shown."""

    def __init__(self, reason: str = "", amiss: Iterable[str] = (), certain: bool = True) -> None:
        self.certain = certain
        self.reason = reason
        self.amiss = list(amiss)
        self.ledger = Ledger(Member("me", "me", ("::1",), 1), 1.0, LedgerOptions())
        self.counts = ProbeCounts()
        self.ledger.register(self.counts)
        for one in (
            observation("a", Kind.UDP),
            observation("b", Kind.UDP, Fault.TIMEOUT),
            observation("b", Kind.TCP, Fault.LOCAL),
            observation("a", Kind.UDP, side=Side.RESPONDER),
        ):
            self.ledger.add(one)
        self.view = AgentMetrics(MetricsOptions())

    def snapshot(self) -> Snapshot:
        return self.ledger.snapshot(100.0)

    def latest(self) -> Iterable[Observation]:
        return self.ledger.latest()

    def metrics(self, *, openmetrics: bool) -> bytes:
        return self.view.render(self.ledger.snapshot(100.0, trials=False), self.counts, FACTS, openmetrics=openmetrics)

    def identity(self) -> WireIdentity:
        return WireIdentity.of(self.ledger.member, self.certain)

    def ready(self) -> str:
        return self.reason

    def remarks(self) -> list[str]:
        return self.amiss


def fetch(
    target: str,
    *headers: str,
    method: str = "GET",
    agent: Agent | None = None,
    authenticator: Authenticator | None = None,
) -> tuple[int, dict[str, str], bytes]:
    async def work() -> tuple[int, dict[str, str], bytes]:
        async with serving(agent_handler(agent or Agent(), authenticator or Anonymous())) as server:
            return await get(server, target, *headers, method=method)

    return run(work)


def observed(target: str) -> list[tuple[str, str]]:
    status, _, body = fetch(target)
    assert status == 200
    return [(one.check.target, one.check.kind.value) for one in msgspec.json.decode(body, type=list[Observation])]


def test_healthz_is_well_while_it_answers() -> None:
    assert fetch("/healthz")[::2] == (200, b"ok\n")


def test_healthz_says_who_answers_once_that_is_certain() -> None:
    me = WireIdentity.of(Member("me", "me", ("::1",), 1))
    assert fetch("/healthz")[1]["kubesonar-identity"] == me.identity.hex()
    assert "kubesonar-identity" not in fetch("/healthz", agent=Agent(certain=False))[1]


def test_readyz_tells_what_is_amiss_with_the_roster_and_stays_ready() -> None:
    status, _, body = fetch("/readyz", agent=Agent(amiss=["the roster is stale for 7 s: pods: no answer"]))
    assert (status, body) == (200, b"ok\nthe roster is stale for 7 s: pods: no answer\n")
    status, _, body = fetch("/readyz", agent=Agent("starting", amiss=["may not list pods"]))
    assert (status, msgspec.json.decode(body)) == (503, {"error": "starting; may not list pods"})


def test_readyz_says_why_not() -> None:
    assert fetch("/readyz")[0] == 200
    status, _, body = fetch("/readyz", agent=Agent("the agent is leaving"))
    assert (status, msgspec.json.decode(body)) == (503, {"error": "the agent is leaving"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [("a", "udp"), ("b", "udp"), ("b", "tcp"), ("a", "udp")]),
        ("?target=b", [("b", "udp"), ("b", "tcp")]),
        ("?kind=udp&side=source", [("a", "udp"), ("b", "udp")]),
        ("?health=bad", [("b", "udp")]),
        ("?health=unknown", [("b", "tcp")]),
        ("?side=responder", [("a", "udp")]),
        ("?limit=1", [("a", "udp")]),
        ("?target=nobody", []),
    ],
)
def test_observations_are_filtered(query: str, found: list[tuple[str, str]]) -> None:
    assert observed(f"/api/v1/observations{query}") == found


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("kind=quic", 'query field kind is "quic", expected one of http, tcp, tls, udp, icmp, dns, mtu'),
        ("kind=other", 'query field kind is "other", expected one of http, tcp, tls, udp, icmp, dns, mtu'),
        ("limit=0", 'query field limit is "0", expected a whole number from 1 to 10000'),
        ("limit=" + "9" * 5000, f'query field limit is "{"9" * 40}", expected a whole number from 1 to 10000'),
        ("limit=%D9%A3", 'query field limit is "٣", expected a whole number from 1 to 10000'),
        ("color=red", 'unknown query field "color", expected kind, target, side, health, limit'),
    ],
)
def test_a_bad_query_is_one_sentence(query: str, error: str) -> None:
    status, _, body = fetch(f"/api/v1/observations?{query}")
    assert (status, msgspec.json.decode(body)) == (400, {"error": error})


def test_observations_come_as_lines_if_asked() -> None:
    _, headers, body = fetch("/api/v1/observations", "accept: application/x-ndjson")
    assert headers["content-type"] == "application/x-ndjson"
    assert [msgspec.json.decode(line, type=Observation).source for line in body.splitlines()] == ["me"] * 4


def test_the_snapshot_comes_back_as_it_was() -> None:
    agent = Agent()
    body = fetch("/api/v1/snapshot", agent=agent)[2]
    assert msgspec.json.decode(body, type=Snapshot) == agent.snapshot()


def test_metrics_come_in_the_format_asked_for() -> None:
    _, headers, body = fetch("/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert list(parse_text(body.decode()))
    _, headers, body = fetch("/metrics", "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_the_index_names_every_path() -> None:
    body = fetch("/")[2].decode()
    for path in ("/healthz", "/readyz", "/metrics", "/api/v1/observations", "/api/v1/snapshot"):
        assert path in body


def test_a_token_protects_what_is_read_but_not_health(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret")
    bearer = BearerToken(str(path))
    for protected in ("/", "/metrics", "/api/v1/observations", "/api/v1/snapshot"):
        assert fetch(protected, authenticator=bearer)[0] == 401
        assert fetch(protected, "authorization: Bearer s3cret", authenticator=bearer)[0] == 200
    for public in ("/healthz", "/readyz"):
        assert fetch(public, authenticator=bearer)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_nothing_can_be_changed(method: str) -> None:
    status, headers, _ = fetch("/api/v1/snapshot", method=method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


HOSTILE = [
    b"GET /metrics HTTP/1.1\r\nx: " + b"a" * 1_000_000,
    b"GET /api/v1/observations?" + b"&".join([b"target=a"] * 2000) + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /api/v1/observations?target=" + b"[" * 10_000 + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b'GET /api/v1/observations?target={"a":' * 100 + b" HTTP/1.1\r\n\r\n",
    b"POST /api/v1/snapshot HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n" + b"[" * 500_000,
    b"GET /%00%0d%0aset-cookie:x=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET http://elsewhere/metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00" * 100_000,
    b"GET / HTTP/1.1\r\naccept: " + b"a/b;q=0.1," * 1000 + b"\r\nconnection: close\r\n\r\n",
]


def test_a_hostile_client_is_answered_or_cut_off_and_the_next_one_served() -> None:
    async def work() -> tuple[list[bytes], int]:
        async with serving(agent_handler(Agent(), Anonymous()), request=0.2, idle=0.2) as server:
            answers = [await ask(server, raw) for raw in HOSTILE]
            return answers, (await get(server, "/metrics"))[0]

    answers, status = run(work)
    assert status == 200
    assert all(b"set-cookie" not in answer for answer in answers)
    assert all(answer.startswith(b"HTTP/1.1 ") for answer in answers)

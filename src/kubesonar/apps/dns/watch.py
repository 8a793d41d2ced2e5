"""`kubesonar dns watch`: looks at DNS for ever, logs what changes, and serves metrics (docs/dns.md)."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence

import uvloop

from kubesonar.apps.client.times import utc_stamp
from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.dns.look_options import add_look_options, looker, read_seconds
from kubesonar.apps.dns.repair_options import RepairAssembly, add_repair_options
from kubesonar.compat.coredns_health.flags import add_healthcheck_flags, healthcheck_flags
from kubesonar.compat.coredns_health.metrics import RESPONSE_BOUNDS, healthcheck_families
from kubesonar.compat.process_series import process_series
from kubesonar.core.dns_check.results import DnsLook, DnsOutcome, DnsResult, DnsVerdict
from kubesonar.core.dns_check.verdict import judge_look
from kubesonar.core.remedy.events import Eviction
from kubesonar.core.remedy.options import RepairMode
from kubesonar.core.telemetry.instruments import CounterVec, Histograms
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.look import Looker
from kubesonar.model import Health
from kubesonar.net.clock import SystemClock
from kubesonar.runtime import logs
from kubesonar.runtime.supervise import Supervisor
from kubesonar.views.dns_answers import dns_json
from kubesonar.views.metrics.dns import dns_families
from kubesonar.views.metrics.dns_repair import repair_families
from kubesonar.views.metrics.exposition import TEXT, Exposition, Metric, Series
from kubesonar.web import Anonymous, Listener, ListenOptions, Reply, Request, Route, Router, Server, error_reply

_LOG = logging.getLogger("kubesonar.dns")

_STOP = 2.0
"""Seconds that replies on their way have at the end."""


def main(arguments: Sequence[str]) -> int:
    """Look and serve until SIGTERM or SIGINT; return 0. Raises ConfigError where the address cannot be listened on."""
    parser = CommandParser(
        prog="kubesonar dns watch", description="Ask a cluster's DNS again and again, and serve metrics."
    )
    add_look_options(parser)
    parser.add_argument(
        "--period", type=read_seconds, default=5.0, metavar="SECONDS", help="from look to look (default: 5)"
    )
    parser.add_argument(
        "--repair",
        choices=[mode.value for mode in RepairMode],
        default=RepairMode.SUGGEST.value,
        help="what is done about a DNS pod that is sick for long: nothing, a suggestion in the log, a restart "
        "(default: %(default)s)",
    )
    add_repair_options(parser)
    parser.add_argument("--listen", default=":9890", metavar="ADDRESS", help="where metrics are (default: %(default)s)")
    add_healthcheck_flags(parser)
    given = parser.parse_args(arguments)
    logs.set_up(logs.LogOptions())
    old = healthcheck_flags(given)
    given.kubeconfig = given.kubeconfig or old.kubeconfig or ""
    given.port = given.port or old.port or 0
    given.no_helper = given.no_helper or old.allow_pods is False
    if old.ignored:
        _LOG.warning("%s: taken, and changes nothing", " and ".join(old.ignored))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(given))
    return 0


async def _run(given: argparse.Namespace) -> None:
    leave, supervisor = asyncio.Event(), Supervisor()
    supervisor.watch_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave.set)
    looks, mode = looker(given, os.environ), RepairMode(given.repair)
    repair = RepairAssembly(given, looks, os.environ, SystemClock(), mode)
    watch = DnsWatch(looks, given.period, repair if mode is not RepairMode.OFF else None)
    server = Server([Listener(ListenOptions(address=given.listen), watch.handler)])
    await server.start()
    try:
        _LOG.info("serving", extra={"addresses": ", ".join(str(address) for address in server.addresses)})
        async with repair:
            supervisor.run_forever("look", watch.run)
            await leave.wait()
    finally:
        await supervisor.stop()
        await watch.close()
        await server.stop(_STOP)


class DnsWatch:
    """Looks each `period` seconds, counts, and answers HTTP requests by `handler`. Each look is also a round of
    `repair`, where there is one."""

    def __init__(self, looker: Looker, period: float, repair: RepairAssembly | None) -> None:
        self._looker = looker
        self._period = period
        self._repair = repair
        self._clock = SystemClock()
        self._started = time.time()
        self._exposition = Exposition()
        self._latest: tuple[DnsLook, DnsVerdict] | None = None
        self._questions = CounterVec()
        self._times = Histograms(RESPONSE_BOUNDS)
        self._looks = self._failed = 0
        self._said: object = None
        routes = {
            "/metrics": Route(self._metrics, "metrics, as Prometheus text"),
            "/api/v1/dns": Route(self._answer, "the last look and its verdict"),
            "/healthz": Route(self._healthz, "whether this process runs"),
        }
        self.handler = Router(routes, Anonymous())

    async def run(self) -> None:
        """Look for ever."""
        while True:
            began = self._clock.mono()
            await self._look()
            wanted = self._repair.repairer.due if self._repair is not None else None
            usual = began + self._period
            await asyncio.sleep(max(0.0, min(usual, wanted or usual) - self._clock.mono()))

    async def close(self) -> None:
        """Leave the standpoint."""
        await self._looker.close()

    async def _look(self) -> None:
        try:
            look = await self._looker.look()
        except AskFailed as failed:
            self._failed += 1
            self._log(logging.WARNING, str(failed), str(failed))
            await self._act(())
            return
        self._looks += 1
        for one in look.results:
            self._questions.add((one.server.role.value, one.outcome.value))
            if one.answered:
                self._times.add((), one.took)
        self._latest = look, judge_look(look)
        verdict = self._latest[1]
        key = verdict.health, [(one.part, one.subject, one.fault) for one in verdict.findings]
        self._log(logging.INFO if verdict.health is Health.GOOD else logging.WARNING, key, verdict.sentence)
        await self._act(look.results)

    async def _act(self, results: Sequence[DnsResult]) -> None:
        if self._repair is not None:
            await self._repair.duty.round(results)

    def _log(self, level: int, key: object, sentence: str) -> None:
        """Log a sentence whose key differs from that of the last one: figures change from look to look."""
        if key != self._said:
            self._said = key
            _LOG.log(level, "%s", sentence)

    def _families(self) -> Iterator[tuple[Metric, Series]]:
        series = self._questions.series
        yield from dns_families(self._latest, series, self._looks, self._failed)
        asked = sum(count for (_, outcome), count in series.items() if outcome != DnsOutcome.LOCAL.value)
        restarts = 0
        if self._repair is not None:
            done = self._repair.repairer
            restarts = done.evictions[Eviction.DONE]
            yield from repair_families(done.decisions, done.evictions, done.outcomes, done.report)
        yield from healthcheck_families(asked, self._times, restarts)
        for name, kind, value in process_series(self._started):
            yield Metric(name, "counter" if kind == "counter" else "gauge", "Of this process."), {(): value}

    async def _metrics(self, request: Request) -> Reply:
        del request
        return Reply(self._exposition.render(self._families()), TEXT)

    async def _answer(self, request: Request) -> Reply:
        del request
        if self._latest is None:
            return error_reply(503, "no look has been made yet")
        return Reply(dns_json(*self._latest, utc_stamp), "application/json")

    async def _healthz(self, request: Request) -> Reply:
        del request
        return Reply(b"ok\n", "text/plain; charset=utf-8")

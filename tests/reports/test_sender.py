"""Reports over real sockets: collectors that go away, come back, refuse, and let only small packets through."""

import asyncio
from pathlib import Path

import pytest

from kubesonar.core.telemetry.reports.report import Report, decode_report
from kubesonar.model import Fault
from kubesonar.reports.auth.shared_secret import SharedSecret
from kubesonar.reports.options import ReportOptions
from kubesonar.web import Reply, Request
from tests.reports.collecting import CLOCK, Collecting, Reporting
from tests.waiting import until
from tests.web.support import port_of, run, serving


def test_what_is_observed_is_known_to_every_collector() -> None:
    async def work() -> None:
        async with Collecting().listening() as one, Collecting().listening() as other:
            collectors = (one, other)
            agent = Reporting(*(collector.port for collector in collectors))
            agent.observe(3)
            async with agent.running():
                await until(lambda: [collector.trials for collector in collectors] == [3, 3])
                agent.observe(2)
                await until(lambda: [collector.trials for collector in collectors] == [5, 5])
                assert agent.sender.answered

    run(work)


def test_each_address_of_a_name_is_a_collector_of_its_own() -> None:
    async def work() -> None:
        async with Collecting().listening() as collector:
            agent = Reporting(collector.port, host="localhost")
            agent.observe()
            async with agent.running():
                await until(lambda: collector.trials == 1)

    run(work)


def test_a_bad_trial_is_reported_at_once() -> None:
    async def work() -> None:
        async with Collecting(interval=60.0).listening() as collector:
            agent = Reporting(collector.port)
            agent.observe()
            async with agent.running():
                await until(lambda: collector.trials == 1)
                await asyncio.sleep(0.1)
                agent.observe(fault=Fault.TIMEOUT)
                await until(lambda: collector.trials == 2, patience=10.0)

    run(work)


def test_what_was_observed_while_a_collector_was_away_is_reported_when_it_is_back() -> None:
    async def work() -> None:
        async with Collecting().listening() as collector:
            agent = Reporting(collector.port)
            agent.observe()
            async with agent.running():
                await until(lambda: collector.trials == 1)
                await collector.stop()
                agent.observe(4)
                await until(lambda: not agent.sender.answered)
                await collector.start()
                await until(lambda: collector.trials == 5)
                assert agent.sender.dropped == 0

    run(work)


def test_a_collector_that_begins_anew_is_told_everything() -> None:
    async def work() -> None:
        async with Collecting().listening() as collector:
            agent = Reporting(collector.port)
            agent.observe(5)
            async with agent.running():
                await until(lambda: collector.trials == 5)
                await collector.stop()
                async with Collecting(port=collector.port).listening() as successor:
                    await until(lambda: successor.trials == 5)

    run(work)


def test_the_token_of_a_file_is_shown_and_read_again(tmp_path: Path) -> None:
    secret, token = tmp_path / "secret", tmp_path / "token"
    secret.write_text("right")
    token.write_text("wrong")

    async def work() -> None:
        async with Collecting(SharedSecret(str(secret))).listening() as collector:
            agent = Reporting(collector.port, token_file=str(token))
            agent.observe()
            async with agent.running():
                await until(lambda: collector.intake.refused[401])
                assert not agent.sender.answered
                token.write_text("right\n")
                await until(lambda: collector.trials == 1)

    run(work)


def test_where_only_small_packets_get_through_a_small_report_says_so() -> None:
    """The way swallows every request of more than 1,200 bytes, as one does whose MTU is smaller than it says."""
    taken: list[Report] = []

    async def work() -> None:
        collector = Collecting()

        async def narrow(request: Request) -> Reply:
            if len(request.body) > 1200:
                await asyncio.sleep(30)
            report = decode_report(request.body)
            assert isinstance(report, Report)
            taken.append(report)
            return await collector.intake.take(request)

        async with serving(narrow, body=1 << 20) as server:
            agent = Reporting(port_of(server), timeout=0.3)
            agent.observe(30)
            async with agent.running():
                await until(lambda: collector.mirrors.collected(CLOCK.wall()).unread)
        (reason,) = collector.mirrors.collected(CLOCK.wall()).unread.values()
        assert "only small packets get through to the collector, not a report of" in reason
        assert taken[0].edges == ()

    run(work)


def test_a_small_report_is_padded_now_and_then_so_that_the_way_is_known_to_pass_large_ones() -> None:
    sizes: list[int] = []

    async def work() -> None:
        collector = Collecting()

        async def counting(request: Request) -> Reply:
            sizes.append(len(request.body))
            return await collector.intake.take(request)

        async with serving(counting, body=1 << 20) as server:
            agent = Reporting(port_of(server))
            agent.observe()
            async with agent.running():
                await until(lambda: len(sizes) > 1)
        assert collector.trials == 1

    run(work)
    assert sizes[0] == 16_384
    assert max(sizes[1:]) < 2000


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 500, 503])
def test_whatever_else_answers_there_takes_no_report_and_stops_no_agent(status: int) -> None:
    asked = []

    async def other(request: Request) -> Reply:
        asked.append(request)
        return Reply(b"<html>\r\n\x1b[2J", "text/html", status)

    async def work() -> None:
        async with serving(other) as server:
            agent = Reporting(port_of(server))
            async with agent.running():
                await until(lambda: asked)
                assert not agent.sender.answered

    run(work)


@pytest.mark.parametrize("url", ["", "collector:80", "ftp://a", "http://a/path", "http://a b"])
def test_what_is_no_url_of_a_collector_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        ReportOptions(to=(url,))

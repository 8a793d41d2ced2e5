"""An agent's notices and a collector that is away, and back."""

from __future__ import annotations

import asyncio

from kubesonar.core.telemetry.reports.hand_over import HAND_OVER_PATH
from kubesonar.core.telemetry.reports.report import REPORT_PATH
from kubesonar.model import Condition, Notice
from kubesonar.reports.auth.reporter import AnyReporter
from kubesonar.reports.hand_over import NoticeHandOver
from kubesonar.reports.hand_over_intake import HandOverIntake
from kubesonar.web import Anonymous, Listener, ListenOptions, Route, Router, Server
from tests.reports.collecting import CLOCK, ME, Collecting, Reporting
from tests.waiting import until
from tests.web.support import run


def test_what_was_told_while_no_collector_answered_is_handed_over_once_one_does() -> None:
    heard: list[tuple[str, bool]] = []

    async def take(notice: Notice, told: bool) -> bool:
        heard.append((notice.id, told))
        return True

    async def work() -> None:
        collector = Collecting()
        async with collector.listening():
            pass  # its port is known now, and nobody listens there
        routes = {
            REPORT_PATH: Route(collector.intake.take, "", open=True, method="POST"),
            HAND_OVER_PATH: Route(HandOverIntake(AnyReporter(), take).take, "", open=True, method="POST"),
        }
        options = ListenOptions(address=f"127.0.0.1:{collector.port}")
        server = Server([Listener(options, Router(routes, Anonymous()))])
        agent = Reporting(collector.port)
        handing = NoticeHandOver(agent.sender, lambda: ME, CLOCK)
        async with agent.running():
            running = asyncio.create_task(handing.run())
            for number in ("aa", "bb"):
                assert not await handing.taken(Notice(number, Condition.DEAD, "node-3", 1.0, "node-3 is dead"))
            await server.start()
            await until(lambda: len(heard) == 2)
            assert await handing.taken(Notice("cc", Condition.DEAD, "node-4", 2.0, "node-4 is dead"))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await server.stop(0)

    run(work)
    assert heard == [("aa", True), ("bb", True), ("cc", False)]

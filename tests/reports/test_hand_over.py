"""A coordinator's notices on their way to whichever collector leads, and to one that is away, and back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine

from kubesonar.core.decoding import decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.reports.hand_over import HAND_OVER_PATH, HAND_OVER_SCHEMA, HandedOver, HandOver
from kubesonar.core.telemetry.reports.report import REPORT_PATH
from kubesonar.model import Condition, Notice
from kubesonar.net.http.exchange import Response
from kubesonar.reports.auth.reporter import AnyReporter
from kubesonar.reports.hand_over import NoticeHandOver
from kubesonar.reports.hand_over_intake import HandOverIntake
from kubesonar.reports.options import ReportOptions
from kubesonar.reports.sender import ReportSender
from kubesonar.web import Anonymous, Listener, ListenOptions, Route, Router, Server
from tests.reports.collecting import CLOCK, ME, Collecting, Reporting
from tests.virtual_time import VirtualClock, now, run_virtually
from tests.waiting import until
from tests.web.support import run

NOTICE = Notice("aa", Condition.DEAD, "node-3", 1.0, "node-3 is dead")


class Collectors(ReportSender):
    """Collectors, of which one leads while `leader` names it. `took` are the ids that each took, `asked` when which was
    shown, and whether it was told already. `answered` says that they take reports."""

    answered = True

    def __init__(self, leader: str = "one") -> None:
        clock = VirtualClock()
        ledger = Ledger(ME, clock.wall(), LedgerOptions())
        super().__init__(ReportOptions(), ledger, lambda: ledger.head(clock.wall()), clock, random.Random(1))
        self.leader = leader
        self.receivers = True
        self.took: dict[str, list[str]] = {}
        self.asked: list[tuple[float, str, bool]] = []

    async def post(self, path: str, body: bytes) -> Response | None:
        """See `ReportSender`."""
        shown = decode_json(body, HandOver)
        self.asked.append((now(), shown.notice.id, shown.told))
        if not (self.answered and self.leader):
            return None
        self.took.setdefault(self.leader, []).append(shown.notice.id)
        return Response(status=200, body=encode_json(HandedOver(HAND_OVER_SCHEMA, self.receivers)))


def handing_over(collectors: Collectors) -> NoticeHandOver:
    return NoticeHandOver(collectors, lambda: ME, VirtualClock())


def played(work: Coroutine[None, None, None]) -> None:
    run_virtually(work)


def test_what_a_leader_took_is_shown_once_more_to_whoever_leads_then() -> None:
    async def work() -> None:
        collectors = Collectors()
        handing = handing_over(collectors)
        running = asyncio.create_task(handing.run())
        assert await handing.taken(NOTICE)
        collectors.leader = ""  # it was lost with what it had taken
        await asyncio.sleep(20.0)
        collectors.leader = "two"
        await asyncio.sleep(60.0)
        assert collectors.took == {"one": ["aa"], "two": ["aa"]}
        assert {told for _, _, told in collectors.asked} == {False}
        assert collectors.asked[1][0] >= 15.0
        running.cancel()
        collectors.close()

    played(work())


def test_what_was_told_while_nobody_led_is_handed_over_as_told_and_not_shown_again() -> None:
    async def work() -> None:
        collectors = Collectors(leader="")
        handing = handing_over(collectors)
        running = asyncio.create_task(handing.run())
        assert not await handing.taken(NOTICE)
        assert 12.0 <= now() < 14.0
        collectors.leader = "two"
        await asyncio.sleep(60.0)
        assert collectors.took == {"two": ["aa"]}
        assert collectors.asked[-1][2]
        running.cancel()
        collectors.close()

    played(work())


def test_who_has_no_receivers_is_not_asked_again_and_while_no_collector_answers_none_is() -> None:
    async def work() -> None:
        collectors = Collectors()
        collectors.receivers = False
        handing = handing_over(collectors)
        running = asyncio.create_task(handing.run())
        assert not await handing.taken(NOTICE)
        collectors.answered = False
        assert not await handing.taken(NOTICE)
        await asyncio.sleep(60.0)
        assert [told for _, _, told in collectors.asked] == [False, False]
        running.cancel()
        collectors.close()

    played(work())


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

"""Deliveries: at least once, in order per member, to several receivers, through bad times."""

import asyncio
import logging
from random import Random

import pytest

from kubesonar.core.delivery.retry_queue import DeliveryFigures, DeliveryOptions
from kubesonar.model import Condition, Notice
from kubesonar.net.clock import SystemClock
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.notify.webhooks import Webhooks
from kubesonar.runtime.supervise import Supervisor
from tests.net.servers import serving, silent
from tests.notify.receivers import FAST, Receiver, notice, options, run, sentences, status, telling, until


def test_a_receiver_that_is_down_is_told_in_order_once_it_is_back() -> None:
    async def scenario() -> list[str]:
        receiver = Receiver()
        async with receiver.serve():
            pass
        async with telling(options(receiver.url)) as webhooks:
            for number in range(1, 6):
                await webhooks.notify(notice(number))
            await until(lambda: webhooks.figures()[0].failed >= 3)
            (waiting,) = webhooks.figures()
            assert (waiting.pending, waiting.delivered) == (5, 0)
            assert waiting.oldest > 0
            async with receiver.serve():
                await receiver.heard(5)
                await until(lambda: webhooks.figures()[0].pending == 0)
            assert webhooks.figures()[0] == DeliveryFigures("pager", 5, webhooks.figures()[0].failed, {}, 0, 0.0)
        return sentences(receiver.requests)

    assert run(scenario()) == [f"node-1-pod is dead ({number})" for number in range(1, 6)]


def test_whatever_goes_wrong_on_the_way_nothing_is_lost_and_the_order_holds() -> None:
    async def scenario() -> list[str]:
        answers = iter([b"", status(500), status(429, "Retry-After: 0"), b"nonsense\r\n\r\n", status(302)] * 4)
        receiver = Receiver(lambda request: next(answers, status(200)))
        async with receiver.serve(), telling(options(receiver.url)) as webhooks:
            for number in range(1, 9):
                await webhooks.notify(notice(number, "a"))
            await until(lambda: webhooks.figures()[0].delivered == 8)
        return sentences(receiver.requests)

    told = run(scenario())
    assert list(dict.fromkeys(told)) == [f"a is dead ({number})" for number in range(1, 9)]
    assert len(told) == 8 + 20


def test_a_retry_is_the_same_notice_byte_for_byte() -> None:
    async def scenario() -> None:
        answers = iter([status(503), status(200)])
        receiver = Receiver(lambda request: next(answers))
        async with receiver.serve(), telling(options(receiver.url)) as webhooks:
            await webhooks.notify(notice(1))
            first, second = await receiver.heard(2)
        assert (first.id, first.body) == (second.id, second.body)

    run(scenario())


def test_a_slow_receiver_does_not_keep_the_teller_waiting_nor_the_other_receivers() -> None:
    async def scenario() -> None:
        async with serving(silent) as port, Receiver().serve() as good:
            slow = ReceiverOptions(name="slow", url=f"http://127.0.0.1:{port}/")
            own = NotifyOptions(receivers=(slow, ReceiverOptions(name="good", url=good.url)), delivery=FAST)
            async with telling(own) as webhooks:
                for number in range(50):
                    await webhooks.notify(notice(number, f"member-{number}"))
                await good.heard(50)
                first, _ = webhooks.figures()
                assert (first.delivered, first.pending) == (0, 50)

    run(scenario())


def test_a_notice_that_still_waits_is_not_taken_twice() -> None:
    async def scenario() -> None:
        receiver = Receiver()
        receiver.delay = 0.1
        async with receiver.serve(), telling(options(receiver.url)) as webhooks:
            await asyncio.gather(*(webhooks.notify(notice(1)) for _ in range(3)))
            await until(lambda: webhooks.figures()[0].pending == 0)
        assert len(receiver.requests) == 1

    run(scenario())


def test_what_is_dropped_is_counted_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> dict[str, int]:
        receiver = Receiver(lambda request: status(422) if b"poison" in request.body else b"")
        patience = DeliveryOptions(first=0.01, longest=0.01, pending=2)
        async with receiver.serve(), telling(options(receiver.url, delivery=patience)) as webhooks:
            await webhooks.notify(notice(1, "poison"))
            await until(lambda: webhooks.figures()[0].pending == 0)
            for number in range(5):
                await webhooks.notify(notice(number))
            await until(lambda: sum(webhooks.figures()[0].dropped.values()) == 4)
            return webhooks.figures()[0].dropped

    assert run(scenario()) == {"status_422": 1, "overflow": 3}
    assert f"notice {notice(1, 'poison').id} was dropped: status_422" in caplog.text


def test_formats_and_conditions_of_a_receiver() -> None:
    def shout(notice: Notice) -> bytes | None:
        return None if notice.what is Condition.FROZEN else notice.subject.upper().encode()

    async def scenario() -> list[bytes]:
        receiver = Receiver()
        only = (Condition.DEAD, Condition.FROZEN)
        async with receiver.serve(), telling(options(receiver.url, format="shout", only=only), shout=shout) as webhooks:
            for what in (Condition.BACK, Condition.FROZEN, Condition.DEAD):
                await webhooks.notify(notice(1, "a", what))
            await receiver.heard(1)
            await until(lambda: webhooks.figures()[0].pending == 0)
        return [request.body for request in receiver.requests]

    assert run(scenario()) == [b"A"]


def test_a_receiver_that_changes_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kubesonar.notify")

    async def scenario() -> None:
        answers = iter([status(503)] * 5 + [status(204)])
        receiver = Receiver(lambda request: next(answers))
        async with receiver.serve(), telling(options(receiver.url)) as webhooks:
            await webhooks.notify(notice(1))
            await until(lambda: webhooks.figures()[0].delivered == 1)

    run(scenario())
    assert [record.getMessage() for record in caplog.records] == [
        "webhook pager: HTTP status 503",
        "webhook pager: well again",
    ]


def test_what_is_not_yet_delivered_may_have_some_time_at_the_end() -> None:
    async def scenario() -> int:
        receiver = Receiver()
        receiver.delay = 0.1
        async with receiver.serve(), telling(options(receiver.url)) as webhooks:
            for number in range(3):
                await webhooks.notify(notice(number))
            await webhooks.stop(grace=20)
            assert webhooks.figures()[0].delivered == 3
        return len(receiver.requests)

    assert run(scenario()) == 3


def test_when_no_receiver_waits_any_more_is_said() -> None:
    async def scenario() -> list[str]:
        done: list[str] = []
        receiver = Receiver(lambda request: status(422) if request.id == notice(2).id else status(200))
        async with receiver.serve():
            own = options(receiver.url, only=(Condition.DEAD,))
            supervisor = Supervisor()
            webhooks = Webhooks(own, {}, supervisor, SystemClock(), Random(0), done.append)
            await webhooks.start()
            for told in (notice(1), notice(2), notice(3, what=Condition.BACK)):
                await webhooks.notify(told)
            await until(lambda: len(done) == 3)
            await webhooks.stop()
            await supervisor.stop()
        return done

    assert sorted(run(scenario())) == sorted([notice(1).id, notice(2).id, notice(3, what=Condition.BACK).id])


def test_it_is_said_when_no_receiver_waits_for_a_notice_any_more() -> None:
    async def scenario() -> list[str]:
        done: list[str] = []
        receiver = Receiver()
        async with receiver.serve():
            supervisor = Supervisor()
            webhooks = Webhooks(options(receiver.url), {}, supervisor, SystemClock(), Random(0), done.append)
            await webhooks.start()
            try:
                await webhooks.notify(notice(1))
                await until(lambda: done == [notice(1).id])
            finally:
                await webhooks.stop()
                await supervisor.stop()
        return done

    assert run(scenario()) == [notice(1).id]

"""Deliveries to one receiver: at least once, in order per member, through bad times."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kubesonar.core.delivery.retry_queue import DeliveryOptions
from kubesonar.model import Condition, Notice
from tests.notify.receivers import Receiver, notice, options, run, sentences, status, telling
from tests.waiting import until


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

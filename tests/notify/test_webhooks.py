"""Deliveries: at least once, in order per member, to several receivers, through bad times."""

from random import Random

from kubesonar.core.delivery.retry_queue import DeliveryFigures
from kubesonar.model import Condition
from kubesonar.net.clock import SystemClock
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.notify.webhooks import Webhooks
from kubesonar.runtime.supervise import Supervisor
from tests.net.servers import serving, silent
from tests.notify.receivers import FAST, Receiver, notice, options, run, sentences, status, telling
from tests.waiting import until


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

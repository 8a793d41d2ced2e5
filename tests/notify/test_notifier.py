import json
import logging

import pytest

from kubesonar.model import Condition
from kubesonar.notify.log import LogNotifier
from kubesonar.notify.notifier import Notifier, Notifiers
from tests.notify.receivers import Receiver, notice, options, run, telling


def test_everybody_and_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kubesonar.notify")

    async def scenario() -> None:
        async with Receiver().serve() as receiver, telling(options(receiver.url)) as webhooks:
            everybody: Notifier = Notifiers([LogNotifier(), webhooks])
            await everybody.notify(notice(1))
            await everybody.notify(notice(2, what=Condition.BACK))
            assert [json.loads(request.body)["type"] for request in await receiver.heard(2)] == [
                "member.dead",
                "member.back",
            ]

    run(scenario())
    assert [record.getMessage() for record in caplog.records[:2]] == [
        "node-1-pod is dead (1)",
        "node-1-pod is back (2)",
    ]

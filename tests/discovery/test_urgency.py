"""An agent to which it is urgent waits less."""

from __future__ import annotations

import asyncio

from kubesonar.discovery.urgency import Urgency
from tests.virtual_time import now, run_virtually


def test_lasting_urgency_shortens_pauses_and_ends_the_one_that_runs() -> None:
    async def scenario() -> list[float]:
        urgency, ends = Urgency(), []

        async def pause(urgent: float = 2) -> None:
            await urgency.pause(60, urgent)
            ends.append(now())

        await pause()  # 60
        asyncio.get_running_loop().call_later(5, urgency.set, True)
        await pause()  # 65: ended by the urgency
        await pause()  # 67
        await pause(100)  # 127: never longer than without
        urgency.set(False)
        await pause()  # 187
        return ends

    assert run_virtually(scenario()) == [60, 65, 67, 127, 187]


def test_a_request_ends_one_pause() -> None:
    async def scenario() -> list[float]:
        urgency, ends = Urgency(), []
        asyncio.get_running_loop().call_later(5, urgency.request)
        for _ in range(2):
            await urgency.pause(60, 2)
            ends.append(now())
        return ends

    assert run_virtually(scenario()) == [5, 65]

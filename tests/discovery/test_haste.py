"""One agent may look often where all others may not."""

from __future__ import annotations

import asyncio

from kubesonar.discovery.haste import Haste
from tests.kube.running import run


def test_haste_shortens_pauses_those_that_come_and_the_one_that_runs() -> None:
    async def scenario() -> None:
        haste = Haste()
        await haste.pause(0.01, 60)
        running = asyncio.create_task(haste.pause(60, 60))
        await asyncio.sleep(0)
        haste.set(True)
        await asyncio.wait_for(running, 10)
        await asyncio.wait_for(haste.pause(60, 0.01), 10)
        haste.set(False)
        running = asyncio.create_task(haste.pause(60, 0.01))
        await asyncio.wait([running], timeout=0.1)
        assert not running.done()
        running.cancel()

    run(scenario())

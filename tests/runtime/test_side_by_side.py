"""Questions that run side by side."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from kubesonar.runtime.side_by_side import side_by_side


def test_results_come_in_order_and_no_more_run_at_once_than_may() -> None:
    running: list[int] = []
    most = 0

    async def work(number: int) -> int:
        nonlocal most
        running.append(number)
        most = max(most, len(running))
        for _ in range(10 - number):
            await asyncio.sleep(0)
        running.remove(number)
        return number

    assert asyncio.run(side_by_side([partial(work, number) for number in range(9)], 3)) == list(range(9))
    assert most == 3


def test_when_one_fails_the_others_have_ended() -> None:
    open_ones: set[int] = set()

    async def work(number: int) -> None:
        open_ones.add(number)
        try:
            await asyncio.sleep(0)
            if number == 1:
                raise OSError("refused")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            open_ones.remove(number)

    with pytest.raises(OSError, match="refused"):
        asyncio.run(side_by_side([partial(work, number) for number in range(9)], 4))
    assert not open_ones

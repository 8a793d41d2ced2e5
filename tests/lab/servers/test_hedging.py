"""One answer of several servers, of which some are slow, fail or never answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kubesonar.lab.servers.hedging import hedged

LONG = 30.0
"""More seconds than the test may take: who waits so long fails it."""


def _at_once(answer: str | None) -> Callable[[], Coroutine[Any, Any, str | None]]:
    async def ask() -> str | None:
        return answer

    return ask


@pytest.mark.parametrize(
    ("answers", "found"),
    [(("a", "b"), "a"), ((None, "b"), "b"), ((None, None), None), ((), None)],
)
def test_the_next_is_asked_at_once_where_one_has_no_answer(answers: tuple[str | None, ...], found: str | None) -> None:
    async def work() -> None:
        async with asyncio.timeout(LONG / 3):
            assert await hedged(map(_at_once, answers), LONG) == found

    asyncio.run(work())


def test_a_slow_one_still_counts_while_the_next_is_asked_and_who_is_left_is_cancelled() -> None:
    async def work() -> None:
        next_is_asked = asyncio.Event()
        ended: list[str] = []

        async def slow() -> str | None:
            await next_is_asked.wait()
            return "slow"

        async def stuck() -> str | None:
            next_is_asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("stuck")
            return None

        assert await hedged([slow, stuck], 0.01) == "slow"
        await asyncio.sleep(0)
        assert ended == ["stuck"]

    asyncio.run(work())

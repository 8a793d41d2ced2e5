"""For how long a token that was verified is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.reports.auth.reporter import Reporter, ReporterRefused
from kubesonar.reports.auth.verified import BoundToken, VerifiedTokens
from kubesonar.web import Request
from tests.clocks import TurnedClock
from tests.kube.apiserver import ApiServer


class SetClock(TurnedClock):
    """A clock whose wall's time is set `back` by so many seconds."""

    back = 0.0

    def wall(self) -> float:
        """See `Clock`."""
        return super().wall() - self.back


@contextmanager
def verified_tokens(
    verify: Callable[[str], Awaitable[BoundToken]], clock: SetClock, folder: Path
) -> Iterator[VerifiedTokens]:
    """Tokens that `verify` judges, in a cluster."""
    with ApiServer() as api, closing(Client(from_kubeconfig(api.kubeconfig(folder / "config")))) as client:
        yield VerifiedTokens(verify, client, "", clock)


def test_a_token_is_verified_again_after_five_minutes_and_once_it_expired_whatever_becomes_of_the_clock(
    tmp_path: Path,
) -> None:
    clock, verified = SetClock(), []

    async def verify(token: str) -> BoundToken:
        verified.append(token)
        return BoundToken("kubesonar", "kubesonar", expires, "pod-1", "uid", "node-1")

    async def looked(ahead: float = 0.0, back: float = 0.0) -> int:
        clock.ahead, clock.back = ahead, back
        assert await tokens.reporter(request) == Reporter("node-1", "pod-1")
        return len(verified)

    async def work() -> None:
        assert [await looked(), await looked(240)] == [1, 1]
        assert await looked(301, back=7200) == 2
        assert await looked(301 + 240, back=7200) == 2
        assert await looked(301 + 240, back=-3600) == 3

    expires = clock.wall() + 3000
    request = Request(headers=[(b"authorization", b"Bearer " + b"a" * 20)])
    with verified_tokens(verify, clock, tmp_path) as tokens:
        asyncio.run(work())


def test_of_made_up_tokens_some_are_verified_at_once_and_they_are_in_nobodys_way_who_was_believed_before(
    tmp_path: Path,
) -> None:
    clock, answering, asked = SetClock(), asyncio.Event(), []

    async def verify(token: str) -> BoundToken:
        asked.append(token)
        await answering.wait()
        if not token.startswith("a"):
            raise ReporterRefused("no")
        return BoundToken("kubesonar", "kubesonar", float("inf"), "pod-1", "uid", "node-1")

    def shown(token: str) -> Request:
        return Request(headers=[(b"authorization", b"Bearer " + token.encode())])

    async def work() -> None:
        answering.set()
        await tokens.reporter(shown("a" * 20))
        clock.ahead = 301.0
        answering.clear()
        flood = [asyncio.create_task(tokens.reporter(shown(f"made-up-token-{number:04}"))) for number in range(50)]
        await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.exception() for task in flood if task.done()]
        assert {str(error) for error in refused} == {"16 tokens are being verified"}
        assert (len(refused), len(asked)) == (50 - 16, 1 + 16)
        believed = asyncio.create_task(tokens.reporter(shown("a" * 20)))
        answering.set()
        assert (await believed).pod == "pod-1"
        outcomes = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(each, ReporterRefused) for each in outcomes) == 16
        assert (await tokens.reporter(shown("a" * 21))).pod == "pod-1"

    with verified_tokens(verify, clock, tmp_path) as tokens:
        asyncio.run(work())

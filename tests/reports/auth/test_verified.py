"""For how long a token that was verified is believed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.reports.auth.reporter import Reporter
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
        assert [await looked(), await looked(299)] == [1, 1]
        assert await looked(301, back=7200) == 2
        assert await looked(301 + 299, back=7200) == 2
        assert await looked(301 + 299, back=-3600) == 3

    expires = clock.wall() + 3000
    request = Request(headers=[(b"authorization", b"Bearer " + b"a" * 20)])
    with ApiServer() as api:
        client = Client(from_kubeconfig(api.kubeconfig(tmp_path / "config")))
        tokens = VerifiedTokens(verify, client, "", clock)
        try:
            asyncio.run(work())
        finally:
            client.close()

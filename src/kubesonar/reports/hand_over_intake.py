"""Takes notices from coordinators: from a request to an answer, or to a status that says who has to change what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.hand_over import HAND_OVER_SCHEMA, HandedOver, decode_hand_over
from kubesonar.model import Notice, clip
from kubesonar.reports.auth.reporter import ReportAuthenticator
from kubesonar.reports.intake import proven
from kubesonar.web import Reply, Request, error_reply


class HandOverIntake:
    """The handler of POST on `hand_over.HAND_OVER_PATH`. `take` is called with a notice and whether it was told
    already; it returns whether the collector tells it, None where another one leads."""

    def __init__(
        self, authenticator: ReportAuthenticator, take: Callable[[Notice, bool], Awaitable[bool | None]]
    ) -> None:
        self._authenticator = authenticator
        self._take = take

    async def take(self, request: Request) -> Reply:
        """Return whether the notice was taken, or an error: 400 for what is none, 401 and 403 for whom is not believed,
        503 where another collector leads or nobody can vouch for the sender."""
        reporter = await proven(self._authenticator, request)
        if isinstance(reporter, Reply):
            return reporter
        handed = decode_hand_over(request.body)
        if isinstance(handed, str):
            return error_reply(400, handed)
        if not reporter.may_be(handed.member):
            return error_reply(403, f"the notice is of {clip(handed.member.name, 60)}, {reporter.words}")
        taken = await self._take(handed.notice, handed.told)
        if taken is None:
            return error_reply(503, "another collector leads", (b"retry-after", b"1"))
        return Reply(encode_json(HandedOver(HAND_OVER_SCHEMA, taken)))

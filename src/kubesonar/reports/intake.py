"""Takes reports in: from a request to a receipt, or to a status that says who has to change what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.mirrors import Mirrors
from kubesonar.core.telemetry.reports.report import Receipt, decode_report
from kubesonar.model import clip
from kubesonar.net.clock import Clock
from kubesonar.reports.auth.reporter import AuthorityAway, ReportAuthenticator, Reporter, ReporterRefused
from kubesonar.web import Reply, Request, error_reply


class Succession(Protocol):
    """The state that a coordinator leaves to its successor: `text`, which every agent is to hold, and the `digest` of
    that."""

    text: str
    digest: str

    def offer(self, text: str) -> None:
        """Look at what an agent holds of a predecessor's."""
        ...

    def given(self, name: str) -> None:
        """Take note that the agent of that name holds `text`, or gets it now."""
        ...


class Intake:
    """The handler of POST on `report.REPORT_PATH`. `refused` counts the reports that were not taken, by the status of
    the reply. `taken` is called with each report that was, as it came, and when (Unix seconds); none is while `full`
    returns True. Agents hold what `succession` gives them, where there is one."""

    def __init__(
        self,
        mirrors: Mirrors,
        authenticator: ReportAuthenticator,
        clock: Clock,
        taken: Callable[[float, bytes], None] = lambda now, body: None,
        succession: Succession | None = None,
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._succession = succession
        self._full = full
        self.refused: Counter[int] = Counter()
        self._mirrors = mirrors
        self._authenticator = authenticator
        self._clock = clock
        self._taken = taken

    async def take(self, request: Request) -> Reply:
        """Return the receipt of a report, or an error: 400 for what is no report, 401 and 403 for whom is not believed,
        409 for one of an earlier life, 415 for one that is compressed, 503 while nobody can vouch for its sender, or
        too many wait to be judged: agents send again, ever less often, and lose nothing by that."""
        reply = await self._reply(request)
        if reply.status != 200:
            self.refused[reply.status] += 1
        return reply

    async def _reply(self, request: Request) -> Reply:
        reporter = await proven(self._authenticator, request)
        if isinstance(reporter, Reply):
            return reporter
        if self._full():
            return error_reply(503, "too many reports wait to be judged", (b"retry-after", b"5"))
        if request.first(b"content-encoding") not in (b"", b"identity"):
            return error_reply(415, "content-encoding: expected none, a report is not compressed")
        report = decode_report(request.body)
        if isinstance(report, str):
            return error_reply(400, report)
        member = report.head.member
        if not reporter.may_be(member):
            claimed = f"{clip(member.name, 60)} on {clip(member.node, 60)}"
            return error_reply(403, f"the report is of {claimed}, {reporter.words}")
        now = self._clock.wall()
        receipt = self._mirrors.take(report, now)
        if not isinstance(receipt, Receipt):
            return error_reply(409, receipt)
        self._taken(now, request.body)
        succession = self._succession
        if succession is not None:
            if report.held:
                succession.offer(report.held)
            if report.holds != succession.digest:
                receipt = replace(receipt, keep=succession.text)
            succession.given(member.name)
        return Reply(encode_json(receipt))


async def proven(authenticator: ReportAuthenticator, request: Request) -> Reporter | Reply:
    """Return who sends a request, or the error of status 401 or 503 for whom is not believed, or not now."""
    try:
        return await authenticator.reporter(request)
    except ReporterRefused as refusal:
        return error_reply(401, str(refusal), (b"www-authenticate", b'Bearer realm="kubesonar"'))
    except AuthorityAway as away:
        return error_reply(503, str(away), (b"retry-after", b"5"))

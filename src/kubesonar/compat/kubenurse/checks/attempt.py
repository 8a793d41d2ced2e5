"""One request of a check, and the observation it becomes."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from kubesonar.core.address import family_of
from kubesonar.model import Check, Fault, Observation, Span
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Deadline
from kubesonar.net.http.exchange import Response
from kubesonar.net.http.redirect import MAX_REDIRECTS, REDIRECT_STATUSES, redirect_target
from kubesonar.net.http.url import Url
from kubesonar.probes.source import ProbeSource


class CheckAttempt:
    """One request of a check: the first, or one that a redirect led to. It is made right before the request.

    `url` is None while the place to ask is no URL, `server` the host to look up and connect to."""

    def __init__(self, check: Check, source: ProbeSource, deadline: Deadline) -> None:
        self.url: Url | None = None
        self.server = ""
        self._check = check
        self._source = source
        self._at = SystemClock.wall()
        self._start = deadline.elapsed

    def onward(self, response: Response) -> str:
        """Return the URL to which the response redirects, empty where it does not."""
        location = response.header("location") if response.status in REDIRECT_STATUSES else ""
        if not location or self.url is None:
            return ""
        try:
            onward = redirect_target(self.url, location)
        except ValueError:
            return location
        return f"{onward.scheme}://{onward.authority}{onward.target}"

    def observation(self, response: Response, onward: str, tolerated: frozenset[int], left: int) -> Observation:
        """Return the observation of this request, with `left` more redirects allowed. A redirect that is followed and a
        status in `tolerated` are no failures."""
        fault, detail = response.fault, response.detail
        if fault is None and onward and not left:
            fault, detail = Fault.WRONG_ANSWER, f"stopped after {MAX_REDIRECTS} redirects"
        elif fault is None and not onward and response.status != HTTPStatus.OK and response.status not in tolerated:
            fault, detail = Fault.WRONG_ANSWER, status_line(response.status)
        offset = self._start
        return Observation(
            check=msgspec.structs.replace(self._check, address=self.server),
            source=self._source.name,
            network=self._source.network,
            at=self._at,
            address=response.address,
            family=family_of(response.address),
            fault=fault,
            phases=tuple(Span(span.phase, span.start - offset, span.end - offset) for span in response.phases),
            code=response.status or None,
            sent=int(self.url is not None),
            received=int(response.status > 0),
            detail=detail,
        )


def status_line(status: int) -> str:
    """Return "404 Not Found" for 404, and the number alone for a status without a name."""
    phrase = next((known.phrase for known in HTTPStatus if known.value == status), "")
    return f"{status} {phrase}".strip()

"""Errors of the API server's client: its refusals, and requests without an answer."""

from __future__ import annotations

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.kube.types import Status
from kubesonar.model import clip
from kubesonar.net.deadline import Failed
from kubesonar.net.http.exchange import Response
from kubesonar.net.http.retry_after import retry_after

_LONGEST_WAIT = 600.0
"""Seconds of the longest Retry-After believed. Lower: a busy server is asked too soon; higher: a wrong header keeps us
away for longer."""


class ApiError(Exception):
    """A request that failed.

    `status` is the HTTP status (0: no answer), `reason` the API's word for it ("Forbidden", "Expired", "Conflict"),
    `retry_after` the seconds for which the server wants to be left alone, and `cause` what it names as the cause, such
    as a disruption budget (empty: nothing).
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0, cause: str = "") -> None:
        self.status = status
        self.reason = reason
        self.message = clip(message)
        self.retry_after = retry_after
        self.cause = clip(cause)
        super().__init__(f"{status} {reason}: {self.message}" if status else self.message)


def unanswered(failed: Failed) -> ApiError:
    """Return the error of a request without an answer."""
    return ApiError(0, failed.fault.value, failed.detail)


def refusal(response: Response, body: bytes, now: float) -> ApiError:
    """Return the error of a response other than 2xx at `now` (Unix seconds). Its body is a v1 Status where the API
    server itself speaks."""
    return refused_status(response.status, body, wait_wanted(response, now))


def refused_status(code: int, body: bytes, retry_after: float = 0.0) -> ApiError:
    """Return the error of an answer with the HTTP status `code`, whose body is a v1 Status where the API server itself
    speaks."""
    status = _status(body) or Status(message=body[:400].decode("utf-8", "replace"))
    cause = status.causes[0].message if status.causes else ""
    return ApiError(code, clip(status.reason), status.message, retry_after, cause)


def refused_within(body: bytes) -> ApiError:
    """Return the error in an ERROR event of a watch, whose object is `body`."""
    status = _status(body)
    if status is None:
        return ApiError(0, "wrong_answer", "an ERROR event that is no Status")
    return ApiError(status.code if 400 <= status.code <= 599 else 500, clip(status.reason), status.message)


def wait_wanted(response: Response, now: float) -> float:
    """Return the seconds for which the server wants to be left alone, 0 where it does not say."""
    return min(retry_after(response.header("retry-after"), now) or 0.0, _LONGEST_WAIT)


def _status(body: bytes) -> Status | None:
    try:
        return decode_json(body, Status)
    except Undecodable:
        return None

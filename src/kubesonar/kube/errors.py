"""How the API server refuses, and what it means that it does not answer."""

from __future__ import annotations

import msgspec

from kubesonar.kube.types import Status
from kubesonar.model import clip
from kubesonar.net.deadline import Failed
from kubesonar.net.http.exchange import Response

_LONGEST_WAIT = 600.0
"""Longest Retry-After believed, in seconds."""


class ApiError(Exception):
    """A request without the answer asked for. `status` is the HTTP status (0: no answer), `reason` the API's word for
    it ("Forbidden", "Expired", "Conflict"), `retry_after` seconds for which the server wants to be left alone."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        self.status = status
        self.reason = reason
        self.message = clip(message)
        self.retry_after = retry_after
        super().__init__(f"{status} {reason}: {self.message}" if status else self.message)


def unanswered(failed: Failed) -> ApiError:
    """What a failed exchange is here."""
    return ApiError(0, failed.fault.value, failed.detail)


def refusal(response: Response, body: bytes) -> ApiError:
    """What a response other than 2xx says; its body is a v1 Status where the API server itself speaks."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, RecursionError):
        status = Status(message=body[:400].decode("utf-8", "replace"))
    return ApiError(response.status, clip(status.reason), status.message, wait_wanted(response))


def refused_within(body: bytes) -> ApiError:
    """What an ERROR event of a watch says."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, RecursionError):
        return ApiError(0, "wrong_answer", "an ERROR event that is no Status")
    return ApiError(status.code if 400 <= status.code <= 599 else 500, clip(status.reason), status.message)


def wait_wanted(response: Response) -> float:
    """The seconds of Retry-After (RFC 9110, section 10.2.3), 0 without; the API server sends no dates."""
    value = response.header("retry-after")
    return min(float(value), _LONGEST_WAIT) if value.isascii() and value.isdecimal() else 0.0

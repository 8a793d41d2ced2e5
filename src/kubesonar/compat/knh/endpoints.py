"""The two endpoints that other pods call, in plain HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kubesonar.runtime.logs import Changes
from kubesonar.web import Reply, Request
from kubesonar.web.handler import percent_decoded

_LOG = logging.getLogger("kubesonar.knh")
_TEXT = "text/plain; charset=utf-8"
_PAIRS = 32
_ID_LIMIT = 512
_DEAD_LIMIT = 1000


class KnhEndpoints:
    """The handler; it accepts any method. `heard(id, ip, dead)` is called for every claim to be the coordinator, with
    the address that it came from and the peers that the sender has reported dead; it returns whether the claim is
    believed."""

    def __init__(self, heard: Callable[[str, str, list[str]], bool]) -> None:
        self._heard = heard
        self._changes = Changes(_LOG)

    async def __call__(self, request: Request) -> Reply:
        """Return "pong" for /ping, nothing for /coordinator, and Go's 404 for other paths."""
        if request.path == "/ping":
            return Reply(b"pong", _TEXT)
        if request.path == "/coordinator":
            self._claim(request)
            return Reply(kind="")
        return Reply(b"404 page not found\n", _TEXT, 404, ((b"x-content-type-options", b"nosniff"),))

    def _claim(self, request: Request) -> None:
        fields = _query(request.query_string)
        id = fields.get("id", "")
        ip = request.client[0] if request.client else ""
        dead = [name for name in fields.get("dead", "").split(",")[:_DEAD_LIMIT] if name]
        if id:
            believed = self._heard(id[:_ID_LIMIT], ip, dead)
            doubt = "" if believed else f"claims to be the coordinator {id[:_ID_LIMIT]}, which is not at its address"
            self._changes.note(f"caller {ip}", doubt)


def _query(text: bytes) -> dict[str, str]:
    """Return the first value of each field, as Go's URL.Query().Get does."""
    fields: dict[str, str] = {}
    for pair in text.replace(b"+", b" ").split(b"&", _PAIRS)[:_PAIRS]:
        name, _, value = pair.partition(b"=")
        fields.setdefault(percent_decoded(name), percent_decoded(value))
    return fields

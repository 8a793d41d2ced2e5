"""A receiver of webhooks that writes each notice to a file once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.lab.servers.listening import joined, serve
from kubesonar.web import ListenOptions, Reply, Request

_NOTICES = 10_000
"""Most notices that are written; later ones are accepted and dropped."""


class PagedNotice(msgspec.Struct, frozen=True):
    """One notice: the condition (`what`) of a member, or of a `node` where the `component` is "node", in one sentence,
    and the coordinator that reported it."""

    id: str
    what: str
    member: str
    sentence: str
    at: float
    coordinator: str = ""
    node: str = ""
    component: str = "member"

    @property
    def subject(self) -> str:
        """The node or the member that the notice is about."""
        return self.node if self.component == "node" else self.member


class _Envelope(msgspec.Struct, frozen=True):
    data: PagedNotice


async def pager(addresses: Sequence[str], port: int, notices: Path, stop: asyncio.Event) -> None:
    """Take notices in the native format by POST, and append each new one to the file `notices` as a line of JSON, until
    `stop` is set. Raises ConfigError where it cannot listen."""
    await serve([ListenOptions(address=joined(one, port)) for one in addresses], _Pager(notices), stop)


def read_notices(notices: Path) -> list[PagedNotice]:
    """Return the notices received so far, in the order of arrival."""
    try:
        lines = notices.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [decode_json(line, PagedNotice) for line in lines]


class _Pager:
    def __init__(self, notices: Path) -> None:
        self._notices = notices
        self._seen: set[str] = set()

    async def __call__(self, request: Request) -> Reply:
        return Reply(kind="", status=self._take(request.body) if request.method == "POST" else 405)

    def _take(self, body: bytes) -> int:
        try:
            told = decode_json(body, _Envelope).data
        except Undecodable:
            return 400
        if told.id not in self._seen and len(self._seen) < _NOTICES:
            self._seen.add(told.id)
            with self._notices.open("ab") as file:
                file.write(encode_json(told) + b"\n")
        return 204

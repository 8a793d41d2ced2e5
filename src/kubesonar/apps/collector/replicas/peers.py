"""The leader's side: pushes what it keeps to every other replica, and knows which of them hold it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from math import inf

from kubesonar.apps.collector.replicas.journal import Journal
from kubesonar.apps.collector.replicas.leadership import ReplicaLeadership
from kubesonar.apps.collector.replicas.options import ReplicaOptions
from kubesonar.apps.collector.replicas.wire import (
    COPY_PATH,
    REPLICA_PATH,
    REPLICA_SCHEMA,
    Held,
    Position,
    Push,
    decode_held,
    decode_push,
)
from kubesonar.core.encoding import encode_json
from kubesonar.model import clip
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import USER_AGENT, HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import parse_url
from kubesonar.net.watched_file import reason_of, token_file
from kubesonar.reports.addresses import CollectorAddresses
from kubesonar.runtime.logs import Changes

_LOG = logging.getLogger("kubesonar.collector")

_HEARTBEAT = 1.0
"""Seconds between two pushes with nothing new. Longer, and a leader that the election cannot confirm has no word of its
followers in time; shorter, and replicas are kept busy."""

_LOOK_UP = 5.0
"""Seconds between two look-ups of the replicas' names. Longer, and a replica that was replaced holds nothing for as
long; shorter, and the DNS is asked more."""

_TIMEOUT = 2.5
"""Seconds within which a replica must answer a push: longer than its store may take. Longer, and one that is cut off
delays what is told; shorter, and one with a busy disk counts as away."""

_COPY = 2.0
"""Seconds in which the others are asked for a copy before this replica leads. Longer, and it begins later where one is
away; shorter, and a slow one is not asked."""

_BODY = 8 << 20
_REASON = 160


class ReplicaPeers:
    """The other replicas at the addresses of `options.peers`. To be made on the running loop; `run` it for ever, and
    `close` it."""

    def __init__(self, options: ReplicaOptions, journal: Journal, leadership: ReplicaLeadership, clock: Clock) -> None:
        self.moved = asyncio.Event()
        self._options = options
        self._journal = journal
        self._leadership = leadership
        self._clock = clock
        self._token = token_file(options.token_file)
        self._contexts = CaContexts()
        self._addresses = CollectorAddresses(options.peers, _TIMEOUT, clock, _LOG)
        self._peers: dict[tuple[str, str], _Peer] = {}

    async def run(self) -> None:
        """Push to whatever addresses the replicas' names have, while this one leads, until cancelled."""
        async with asyncio.TaskGroup() as group:
            tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
            while True:
                wanted = (await self._addresses.look_up()).keys()
                for gone in tasks.keys() - wanted:
                    tasks.pop(gone).cancel()
                    del self._peers[gone]
                for key in wanted - tasks.keys():
                    peer = self._peers[key] = _Peer(*key, self._journal, self._leadership, self._clock, self)
                    tasks[key] = group.create_task(peer.run())
                await asyncio.sleep(_LOOK_UP)

    def close(self) -> None:
        """Give the resolver back; to be called once `run` has ended."""
        self._addresses.close()

    def wake(self) -> None:
        """Push at once what is new."""
        for peer in self._peers.values():
            peer.wake.set()

    def promised(self, since: float) -> bool:
        """Return whether there are other replicas and all have answered pushes that began after `since` (monotonic
        seconds)."""
        others = list(self._others())
        return bool(others) and all(peer.answered >= since for peer in others)

    async def settled(self, patience: float) -> None:
        """Wait until all replicas that answer hold what is kept now, at most `patience` seconds."""
        position = self._journal.position
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while any(peer.behind(position) for peer in self._others()):
                    self.moved.clear()
                    await self.moved.wait()

    @property
    def trouble(self) -> str:
        """The reason why no other replica holds what this leader keeps; empty where one does."""
        others = list(self._others())
        for peer in others:
            if peer.failure:
                return f"the replica at {peer.address} does not answer ({peer.failure})"
        if not others:
            return "no other replica is known"
        behind = any(peer.behind(self._journal.position) for peer in others)
        return "the other replica is being told" if behind else ""

    async def copy(self, beyond: Position) -> list[Push]:
        """Return the pages of the copy of the replica that holds most, where that is more than up to `beyond`; none
        where no other replica answers or holds more."""
        try:
            async with asyncio.timeout(_COPY):
                asked = [self._copy_of(*key) for key in await self._addresses.look_up()]
                copies = await asyncio.gather(*asked)
        except TimeoutError:
            return []
        return max((copy for copy in copies if copy and copy[0].position > beyond), key=_position, default=[])

    def connection(self, url: str, address: str) -> HttpConnection:
        """Return a connection to one replica. Raises Failed where the CA certificates cannot be used."""
        parsed = parse_url(url)
        context = self._contexts.context(self._options.ca_file) if parsed.secure else None
        return HttpConnection(Origin.of(parsed, context), [address], keep=True)

    async def ask(self, connection: HttpConnection, method: str, url: str, body: bytes = b"") -> Response | str:
        """Return the response, or why there is none."""
        try:
            headers = (USER_AGENT, ("Authorization", f"Bearer {self._token.get()}"))
        except (OSError, ValueError) as error:
            return f"replicas.token_file: {reason_of(error)}"
        request = HttpRequest.make(method, parse_url(url), headers, body)
        with Deadline(_TIMEOUT, self._clock) as deadline:
            response = await connection.request(request, deadline, ResponseLimits(body=_BODY))
        if response.fault is not None:
            return clip(response.detail or response.fault.value, _REASON)
        return response

    async def _copy_of(self, url: str, address: str) -> list[Push]:
        pages: list[Push] = []
        try:
            connection = self.connection(url, address)
        except Failed:
            return []
        try:
            while not pages or not pages[-1].last:
                path = f"{url.rstrip('/')}{COPY_PATH}?page={len(pages)}"
                response = await self.ask(connection, "GET", path)
                if isinstance(response, str) or response.status != 200:
                    return []
                page = decode_push(response.body)
                if isinstance(page, str) or page.page != len(pages):
                    return []
                pages.append(page)
        finally:
            connection.close()
        return pages

    def _others(self) -> Iterator[_Peer]:
        return (peer for peer in self._peers.values() if not peer.itself)


class _Peer:
    """One replica. `answered` is when the last push that it took began (monotonic seconds), `failure` why the last one
    was not taken; `itself` tells that it is this replica, reached by another of its addresses."""

    def __init__(
        self, url: str, address: str, journal: Journal, leadership: ReplicaLeadership, clock: Clock, peers: ReplicaPeers
    ) -> None:
        self.wake = asyncio.Event()
        self.address = address
        self.answered = -inf
        self.failure = ""
        self.itself = False
        self._url = url
        self._journal = journal
        self._leadership = leadership
        self._clock = clock
        self._peers = peers
        self._held: Position | None = None
        self._whole = False
        self._connection: HttpConnection | None = None
        self._changes = Changes(_LOG)

    def behind(self, position: Position) -> bool:
        """Return whether it answers, or was not yet asked, and is not known to hold everything up to there."""
        return not self.failure and (self._held is None or self._held < position)

    async def run(self) -> None:
        """Push until cancelled, while this replica leads."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT):
                        await self.wake.wait()
                self.wake.clear()
                if self._leadership.leads():
                    await self._push()
                    self._peers.moved.set()
                else:
                    self._held, self.failure, self.answered = None, "", -inf
        finally:
            if self._connection is not None:
                self._connection.close()

    async def _push(self) -> None:
        journal, before = self._journal, self._held
        pushes = journal.since(None if self._whole else before) if before else iter([self._question()])
        for push in pushes:
            if not self._leadership.leads():
                return
            began = self._clock.mono()
            held = await self._asked(push)
            self.failure = held if isinstance(held, str) else ""
            self._changes.note(f"replica {self.address}", self.failure)
            if isinstance(held, str):
                self._held = None
                return
            self.itself = held.replica == self._leadership.name
            if held.refused:
                self._leadership.refused(held.term)
                return
            self._held, self._whole = held.position, held.whole and not self.itself
            self.answered = began
        if not self.itself and self._held != before and (self._whole or self.behind(journal.position)):
            self.wake.set()

    def _question(self) -> Push:
        """Return a push of nothing, by whose answer the follower tells what it holds."""
        position = self._journal.position
        return Push(REPLICA_SCHEMA, self._leadership.name, position, position)

    async def _asked(self, push: Push) -> Held | str:
        try:
            if self._connection is None:
                self._connection = self._peers.connection(self._url, self.address)
        except Failed as failed:
            return failed.detail
        url = self._url.rstrip("/") + REPLICA_PATH
        response = await self._peers.ask(self._connection, "POST", url, encode_json(push))
        if isinstance(response, str):
            return response
        if response.status not in (200, 409):
            return f"HTTP status {response.status}: {clip(response.body.decode('utf-8', 'replace'), _REASON)}"
        return decode_held(response.body)


def _position(copy: list[Push]) -> Position:
    return copy[0].position

"""The open connections of one listener, and what they share."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from kubesonar.web.handler import Handler
from kubesonar.web.options import LimitOptions

BODIES_LIMIT = 64 << 20
"""Most bytes of request bodies that all connections of a listener hold at once, or twice the largest body where that is
more. More, and whoever may not even be answered fills memory; fewer, and many agents' first reports are sent again."""


class OpenConnection(Protocol):
    """A connection as its set sees it. `held` are the bytes of the bodies that came and are not answered yet."""

    held: int

    def overtake(self) -> None:
        """Give way to others: refuse what has not arrived in full."""
        ...

    @property
    def answering(self) -> bool:
        """Whether a reply is on its way."""
        ...

    def close(self) -> None:
        """Close once the client has taken what was written."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class ConnectionSet:
    """The handler of a listener, its limits and its open connections, longest open first. `refused` counts connections
    and requests turned away because a limit was reached, or because they were not HTTP."""

    def __init__(self, handler: Handler, limits: LimitOptions, loop: asyncio.AbstractEventLoop) -> None:
        self.handler = handler
        self.limits = limits
        self.loop = loop
        self.stopping = False
        self.refused = 0
        self._connections: dict[OpenConnection, None] = {}
        self._turned_away: set[OpenConnection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._bodies = 0
        self._date = (0, b"")

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: OpenConnection) -> bool:
        """Admit a connection. At the limit, the one that has waited longest for its client is cut in its favour, so
        that clients who only hold connections open cannot keep a scrape or the kubelet away; False where all are being
        answered."""
        if len(self._connections) >= self.limits.connections:
            waiting = next((other for other in self._connections if not other.answering), None)
            self.refused += 1
            if waiting is None:
                self._turn_away(connection)
                return False
            self.leave(waiting)
            waiting.abort()
        self._connections[connection] = None
        self._empty.clear()
        return True

    def leave(self, connection: OpenConnection) -> None:
        """Forget a connection that is closed."""
        self.hold(connection, 0)
        self._connections.pop(connection, None)
        self._turned_away.discard(connection)
        if not self._connections:
            self._empty.set()

    def hold(self, connection: OpenConnection, size: int) -> None:
        """Take note that a connection holds bodies of that size. Beyond the limit, the one that holds most and is not
        being answered gives way, so that large bodies that come slowly keep no small ones away."""
        more = size - connection.held
        self._bodies += more
        connection.held = size
        if more > 0 and self._bodies > max(BODIES_LIMIT, 2 * self.limits.body):
            waiting = [other for other in self._connections if not other.answering]
            if waiting:
                max(waiting, key=lambda other: other.held).overtake()

    async def emptied(self) -> None:
        """Wait until no connection is left."""
        await self._empty.wait()

    def stop(self) -> None:
        """Close connections that wait for a request now, and the others when their reply is out."""
        self.stopping = True
        for connection in list(self._connections):
            if not connection.answering:
                connection.close()

    def abort(self) -> None:
        """Close every connection at once."""
        for connection in [*self._connections, *self._turned_away]:
            connection.abort()

    def date(self) -> bytes:
        """The Date header's value (RFC 9110, section 5.6.7), made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)).encode())
        return self._date[1]

    def _turn_away(self, connection: OpenConnection) -> None:
        """Let a connection that was not admitted take its refusal; cut it where too many do so already."""
        if len(self._turned_away) < self.limits.connections:
            self._turned_away.add(connection)
        else:
            connection.abort()

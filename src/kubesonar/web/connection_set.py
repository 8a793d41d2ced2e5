"""What the connections of one listener share."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kubesonar.web.asgi import App
from kubesonar.web.options import LimitOptions

if TYPE_CHECKING:
    from kubesonar.web.connection import Connection


class Host:
    """An application, its limits and the connections that are open, longest open first. `refused` counts connections
    and requests turned away because a limit was reached, or because they were not HTTP."""

    def __init__(self, app: App, limits: LimitOptions, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.limits = limits
        self.loop = loop
        self.stopping = False
        self.refused = 0
        self._connections: dict[Connection, None] = {}
        self._parting: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._date = (0, b"")

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: Connection) -> bool:
        """Admits a connection. A full house shows the one out that has waited longest for its client, so that clients
        who only hold connections open cannot keep a scrape or the kubelet away; False where all are being answered."""
        if len(self._connections) >= self.limits.connections:
            waiting = next((other for other in self._connections if not other.answering), None)
            self.refused += 1
            if waiting is None:
                self._part(connection)
                return False
            self.leave(waiting)
            waiting.abort()
        self._connections[connection] = None
        self._empty.clear()
        return True

    def leave(self, connection: Connection) -> None:
        """Forgets a connection."""
        self._connections.pop(connection, None)
        self._parting.discard(connection)
        if not self._connections:
            self._empty.set()

    async def emptied(self) -> None:
        """Waits until no connection is left."""
        await self._empty.wait()

    def stop(self) -> None:
        """From now on, connections close when their answer is out; those that wait for a request close at once."""
        self.stopping = True
        for connection in list(self._connections):
            if not connection.answering:
                connection.close()

    def abort(self) -> None:
        """Cuts every connection."""
        for connection in [*self._connections, *self._parting]:
            connection.abort()

    def date(self) -> bytes:
        """The Date header's value (RFC 9110, section 5.6.7), made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)).encode())
        return self._date[1]

    def _part(self, connection: Connection) -> None:
        """Lets a connection that was not admitted take its refusal, if not too many do."""
        if len(self._parting) < self.limits.connections:
            self._parting.add(connection)
        else:
            connection.abort()

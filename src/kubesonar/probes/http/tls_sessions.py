"""TLS sessions of HTTP checks, which later connections to the same server resume."""

from __future__ import annotations

import ssl

from kubesonar.net.clock import Clock
from kubesonar.net.http.origin import Origin

_SESSIONS = 64
"""Sessions kept; the oldest goes. Lower: more full handshakes; higher: more memory."""


class TlsSessions:
    """The latest session by server, each with the time of the full handshake that is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[Origin, tuple[ssl.SSLSession, float]] = {}

    def get(self, origin: Origin) -> ssl.SSLSession | None:
        """Return the session to resume, None where the next handshake is to be a full one."""
        session, until = self._sessions.get(origin, (None, 0.0))
        if session is not None and self._clock.mono() >= until:
            del self._sessions[origin]
            return None
        return session

    def keep(self, origin: Origin, session: ssl.SSLSession | None, lifetime: float) -> None:
        """Keep a session that has a ticket for `lifetime` seconds after the full handshake that it stems from."""
        if session is None or not session.has_ticket:
            return
        if len(self._sessions) >= _SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        _, until = self._sessions.get(origin, (session, self._clock.mono() + lifetime))
        self._sessions[origin] = session, until

    def drop(self, origin: Origin) -> None:
        """Forget the session: the next handshake is a full one."""
        self._sessions.pop(origin, None)

"""The connections of HTTP checks: those kept open between checks, and the TLS sessions that new ones resume."""

from __future__ import annotations

import ssl

import msgspec

from kubesonar.net.clock import Clock
from kubesonar.net.http.connection import HttpConnection

_SESSIONS = 64


class PeerConnection(msgspec.Struct, frozen=True):
    """Whom a connection leads to, and how it is secured."""

    address: str
    port: int
    name: str
    context: ssl.SSLContext | None


class ProbeConnections:
    """Hands out connections and takes them back. With `keep` at most `limit` idle ones are kept for the next check of
    the same peer. `close` it."""

    def __init__(self, keep: bool, limit: int, clock: Clock) -> None:
        self._keep = keep
        self._limit = limit
        self._clock = clock
        self._idle: dict[PeerConnection, HttpConnection] = {}
        self._sessions: dict[PeerConnection, tuple[ssl.SSLSession, float]] = {}

    def take(self, peer: PeerConnection, resume: bool) -> HttpConnection:
        """One to this peer, which stays open until it is given back; a new one may `resume` a TLS session."""
        return self._idle.pop(peer, None) or HttpConnection(
            peer.address,
            peer.port,
            context=peer.context,
            server_name=peer.name,
            keep=True,
            session=self._session(peer) if resume else None,
        )

    def give(self, peer: PeerConnection, connection: HttpConnection, resumable: float) -> None:
        """Takes one back after an answer; its TLS session is resumed by others for so many seconds after the full
        handshake that it stems from."""
        session = connection.session if resumable else None
        if session is not None and session.has_ticket:
            if len(self._sessions) >= _SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            _, until = self._sessions.get(peer, (session, self._clock.mono() + resumable))
            self._sessions[peer] = session, until
        if not self._keep or peer in self._idle:  # in: two checks asked the same server at once
            connection.close()
            return
        if len(self._idle) >= self._limit:
            self._idle.pop(next(iter(self._idle))).close()
        self._idle[peer] = connection

    def drop(self, peer: PeerConnection, connection: HttpConnection) -> None:
        """Takes one back that brought no answer: the next one shakes hands in full."""
        connection.close()
        self._sessions.pop(peer, None)

    def close(self) -> None:
        """Closes the connections that are kept."""
        while self._idle:
            self._idle.popitem()[1].close()

    def _session(self, peer: PeerConnection) -> ssl.SSLSession | None:
        session, until = self._sessions.get(peer, (None, 0.0))
        if session is not None and self._clock.mono() >= until:
            del self._sessions[peer]
            return None
        return session

"""Token buckets, which limit the datagrams that a responder takes from each sender."""

from __future__ import annotations

import msgspec


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the signed datagrams that a responder takes in; it drops and counts the rest. Lower limits drop honest
    probes of big clusters, higher ones let a member that went mad use more of the CPU. Without keys a sender is an
    address."""

    rate: float = 2000.0
    """Datagrams a second from one sender."""
    burst: float = 500.0
    """Datagrams at once from one sender."""
    total_rate: float = 20_000.0
    """Datagrams a second from all senders."""
    total_burst: float = 5000.0
    """Datagrams at once from all senders."""
    mismatch_rate: float = 10.0
    """Answers "version or key mismatch" a second to one address."""
    mismatch_burst: float = 8.0
    """Answers "version or key mismatch" at once to one address."""
    addresses: int = 16_384
    """Addresses and senders remembered at once."""


class TokenBuckets:
    """One token bucket for each sender or address: `rate` tokens a second, at most `burst`.

    At most `limit` are remembered. The one that took no token for longest is forgotten first, and has its
    burst again when it comes back.
    """

    def __init__(self, rate: float, burst: float, limit: int = 16_384) -> None:
        self._rate = rate
        self._burst = burst
        self._limit = limit
        self._state: dict[str | bytes, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._state)

    def take(self, sender: str | bytes, now: float) -> bool:
        """Take a token; return False where there is none. `now` is seconds of a clock that never goes back."""
        tokens, then = self._state.pop(sender, (self._burst, now))
        tokens += (now - then) * self._rate
        if tokens > self._burst:
            tokens = self._burst
        granted = tokens >= 1
        self._state[sender] = (tokens - granted, now)
        if len(self._state) > self._limit:
            del self._state[next(iter(self._state))]
        return granted

"""How much each address may ask of us."""

from __future__ import annotations

from typing import Annotated

import msgspec

Rate = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class RateLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a responder takes in; more is dropped and counted."""

    rate: Annotated[Rate, msgspec.Meta(description="Datagrams a second that one address may send us.")] = 2000.0
    burst: Annotated[Rate, msgspec.Meta(description="Datagrams that one address may send us at once.")] = 500.0
    total_rate: Annotated[Rate, msgspec.Meta(description="Datagrams a second from all addresses.")] = 20_000.0
    total_burst: Annotated[Rate, msgspec.Meta(description="Datagrams at once from all addresses.")] = 5000.0
    mismatch_rate: Annotated[
        Rate, msgspec.Meta(description='Answers "version or key mismatch" a second to one address.')
    ] = 10.0
    mismatch_burst: Annotated[
        Rate, msgspec.Meta(description='Answers "version or key mismatch" at once to one address.')
    ] = 8.0
    addresses: Annotated[
        int, msgspec.Meta(ge=1, le=1_000_000, description="Addresses and senders remembered at once.")
    ] = 16_384


class Buckets:
    """One token bucket for each address: `rate` a second, `burst` at once. At most `limit` addresses are remembered;
    one that was not heard of for longest is forgotten first, and has its burst again when it comes back."""

    def __init__(self, rate: float, burst: float, limit: int = 16_384) -> None:
        self._rate = rate
        self._burst = burst
        self._limit = limit
        self._state: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._state)

    def take(self, address: str, now: float) -> bool:
        """Takes a token; False when there is none. `now` is seconds of a clock that never goes back."""
        tokens, then = self._state.pop(address, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        granted = tokens >= 1
        self._state[address] = (tokens - granted, now)
        if len(self._state) > self._limit:
            del self._state[next(iter(self._state))]
        return granted

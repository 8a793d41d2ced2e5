"""Token buckets: how much each address may ask of us."""

from __future__ import annotations


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

"""A clock for tests of waiting that takes no time."""

from __future__ import annotations

from kubesonar.net.clock import SystemClock


class TurnedClock(SystemClock):
    """The system's clock, `ahead` by so many seconds, which a test may change."""

    ahead = 0.0

    def mono(self) -> float:
        """See `Clock`."""
        return super().mono() + self.ahead

    def wall(self) -> float:
        """See `Clock`."""
        return super().wall() + self.ahead

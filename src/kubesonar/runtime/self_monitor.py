"""Watches this process while it runs, and keeps in the ledger when its measurements cannot be trusted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.telemetry.saturation import SaturationWindow
from kubesonar.core.telemetry.self_health import SelfHealth, SelfHealthOptions
from kubesonar.model import Observation, Trouble
from kubesonar.net.clock import Clock
from kubesonar.net.ticks import Ticks
from kubesonar.runtime.kernel_counters import read_saturation
from kubesonar.runtime.proc import cpu_stat, throttling

_LOG = logging.getLogger("kubesonar.agent")

_BEAT = 0.4
"""Seconds between two looks at how late the loop is: longer, and short freezes are missed; shorter, and an idle agent
wakes more often than it probes."""

_DROP_BEATS = 3
"""Beats (1.2 s) between two looks at what was dropped: longer, and more than what came in a burst is excused; shorter,
and each socket is asked more often for nothing."""

_CGROUP_BEATS = 12
"""Beats (4.8 s) between two looks at the cgroup's CPU counters: longer, and throttling is noticed late; shorter, and
one throttled period of 0.1 s weighs too much."""


_KERNEL_BEATS = 25
"""Beats (10 s) between two looks at the kernel's counters: longer, and a shortage shows late beside the loss that it
causes; shorter, and six files are read more often for nothing."""


class SelfMonitor:
    """Feeds `SelfHealth` with lags, throttling, drops and loopback losses; a trouble that opens or ends goes into the
    ledger and the log. `throttled` is called with each share of throttled CPU periods (0 to 1); `lost` returns how much
    of what came was dropped so far, by what it was. `troubles` counts those that opened; `saturation` is what the
    kernel lacks room for, `throttled_share` the latest share of throttled CPU periods."""

    def __init__(
        self,
        options: SelfHealthOptions,
        ledger: Ledger,
        clock: Clock,
        throttled: Callable[[float], None] = lambda share: None,
        lost: Callable[[], Mapping[str, int]] = dict,
        root: str = "/",
    ) -> None:
        self.troubles = 0
        self.throttled_share = 0.0
        self.saturation = SaturationWindow()
        self._root = root
        self._health = SelfHealth(options)
        self._ledger = ledger
        self._clock = clock
        self._throttled = throttled
        self._worst_lag = 0.0
        self._beats = 0
        self._lost = lost
        self._lost_before: Mapping[str, int] = {}
        self._beat_before = self._since = clock.mono()
        self._stat = cpu_stat(root)
        self._before = throttling(self._stat) if self._stat else None

    def lag(self, late: float) -> None:
        """Take in that a timer fired `late` seconds after it was due."""
        self._worst_lag = max(self._worst_lag, late)
        self._record(self._health.lag(self._clock.wall(), late))

    def loopback(self, observation: Observation) -> None:
        """Take in what came of a train to the own responder."""
        self._record(self._health.loopback(observation))

    def take_worst_lag(self) -> float:
        """Return the longest lag (seconds) since the last call."""
        worst, self._worst_lag = self._worst_lag, 0.0
        return worst

    async def watch(self) -> None:
        """Call `beat` with how late the loop is, for ever."""
        await Ticks.of(asyncio.get_running_loop()).each(_BEAT, self.beat)

    def beat(self, late: float) -> None:
        """Take in that a beat was `late` seconds late; look at what was dropped and, now and then, how much the cgroup
        throttled."""
        self.lag(late)
        if self._beats % _DROP_BEATS == 0:
            self._look_at_drops()
        self._record(self._health.calm(self._clock.wall()))
        if self._beats % _KERNEL_BEATS == 0:
            self.saturation.note(read_saturation(self._clock.wall(), self._root))
        self._beats += 1
        if self._stat and self._beats % _CGROUP_BEATS == 0:
            self._look_at_cgroup(self._stat)

    def _look_at_drops(self) -> None:
        before, self._beat_before = self._beat_before, self._clock.mono()
        lost_before, self._lost_before = self._lost_before, self._lost()
        for what, count in self._lost_before.items():
            fresh = count - lost_before.get(what, 0)
            if fresh > 0:
                self._record(self._health.dropped(self._clock.wall(), self._beat_before - before, fresh, what))

    def _look_at_cgroup(self, stat: str) -> None:
        before, self._before = self._before, throttling(stat)
        now, since, self._since = self._before, self._since, self._clock.mono()
        if now and before and now.periods > before.periods:
            share = (now.throttled - before.throttled) / (now.periods - before.periods)
            self.throttled_share = share
            self._throttled(share)
            self._record(self._health.throttled(self._clock.wall(), self._since - since, share))

    def _record(self, trouble: Trouble | None) -> None:
        if trouble is None:
            return
        self._ledger.trouble(trouble)
        opened = trouble.until is None
        self.troubles += opened
        what = "cannot trust own measurements" if opened else "own measurements can be trusted again"
        _LOG.warning(what, extra={"cause": trouble.cause, "since": trouble.since})

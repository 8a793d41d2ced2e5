"""The addresses of the collectors that an agent reports to."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kubesonar.core.telemetry.reports.report import REPORT_PATH
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.url import Url, parse_url
from kubesonar.runtime.logs import Changes

MOST_COLLECTORS = 3
"""Most collectors that are reported to. More, and each costs this agent as much again; fewer, and a replica that has no
room knows nothing."""

CollectorKey = tuple[str, str]
"""The configured URL of a collector, and one address of its name."""


class CollectorAddresses:
    """Looks up the names in the URLs `to`, each within `timeout` seconds. `close` it."""

    period = 30.0
    """Seconds between two look-ups. Longer, and a replica that was replaced hears nothing for as long; shorter, and the
    DNS is asked more."""

    def __init__(
        self, to: Sequence[str], timeout: float, clock: Clock, log: logging.Logger, resolver: Resolver | None = None
    ) -> None:
        self._to = to
        self._timeout = timeout
        self._clock = clock
        self._changes = Changes(log)
        self._resolver = resolver or Resolver()
        self._known: dict[str, list[str]] = {}

    async def look_up(self) -> dict[CollectorKey, Url]:
        """Return the collectors, at most `MOST_COLLECTORS`; those of a name that cannot be looked up stay what they
        were."""
        found: dict[CollectorKey, Url] = {}
        for text in self._to:
            url, trouble = parse_url(text.rstrip("/") + REPORT_PATH), ""
            try:
                with Deadline(self._timeout, self._clock) as deadline:
                    self._known[text] = sorted(await self._resolver.resolve(url.host, deadline))
            except Failed as failed:
                trouble = failed.detail
            self._changes.note(text, trouble)
            found |= {(text, address): url for address in self._known.get(text, ())}
        return dict(list(found.items())[:MOST_COLLECTORS])

    def close(self) -> None:
        """Cancel the look-ups that still run."""
        self._resolver.close()

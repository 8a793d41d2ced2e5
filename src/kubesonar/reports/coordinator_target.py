"""The coordinator of a mesh without a collector, as the one that agents report to."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.core.address import bracketed
from kubesonar.core.telemetry.reports.report import REPORT_PATH
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Member
from kubesonar.net.clock import Clock
from kubesonar.net.http.url import Url, parse_url
from kubesonar.reports.addresses import CollectorKey
from kubesonar.reports.signature import SIGNATURE_HEADER, sign_request


class CoordinatorTarget:
    """Reports go to `port` of the member that `current` returns, None: nowhere; they are signed with the keys that
    `keys` returns."""

    period = 1.0
    """Seconds between two looks at who it is. Longer, and a new coordinator judges later; shorter, and it is looked at
    for nothing."""

    def __init__(
        self, current: Callable[[], Member | None], port: int, keys: Callable[[], Keyring], clock: Clock
    ) -> None:
        self._current = current
        self._port = port
        self._keys = keys
        self._clock = clock

    async def look_up(self) -> dict[CollectorKey, Url]:
        """Return where the coordinator takes reports, by the first of its addresses; empty where there is none."""
        member = self._current()
        if member is None or not member.addresses:
            return {}
        base = f"http://{bracketed(member.addresses[0])}:{self._port}"
        return {(base, member.addresses[0]): parse_url(base + REPORT_PATH)}

    def headers(self, path: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """Return the header that proves a request to be a member's."""
        return ((SIGNATURE_HEADER, sign_request(self._keys(), path, body, self._clock.wall())),)

    def close(self) -> None:
        """There is nothing to close."""

"""Holds a Lease (coordination.k8s.io/v1), so that of several candidates only one acts.

It follows client-go's leader election (https://pkg.go.dev/k8s.io/client-go/tools/leaderelection): a Lease of another
expires by the own clock, counted from the moment at which its last renewal was seen, so that clocks need not agree.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Any

from kubesonar.core.encoding import encode_json
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.types import Lease
from kubesonar.net.clock import Clock
from kubesonar.runtime.logs import Changes

if TYPE_CHECKING:
    from random import Random

_LOG = logging.getLogger("kubesonar.kube")
_RENEWALS = 3
"""Renewals within the duration of a Lease, so that one may fail. More burden the API server."""

_JITTER = 0.2
"""Random share by which the pause between two renewals is shortened."""

_PATCH = "application/merge-patch+json"
_TRIES = 3
"""Attempts in a row where another candidate changes the Lease at the same moment."""

_LONGEST = 10
"""Own durations for which a Lease of another that is not renewed is respected at most, whatever duration it claims."""

_RELEASE_TIMEOUT = 2.0
"""Seconds for releasing the Lease. More delays the end of the program; without a release the Lease expires."""


class LeaseKeeper:
    """Tries to hold one Lease as `holder` while that is wanted.

    `changed` is called with True (held), False (another holds it) or None (unknown: the API server does not answer or
    does not permit the question) whenever that changes. `path` is that of the namespace's leases (`resource.leases`);
    `duration` is in whole seconds. While `hold_back` returns True, an expired Lease of another is not taken.

    `renewed` is when the last renewal that succeeded began (monotonic seconds), minus infinity once another holds the
    Lease; `current` is the holder that was seen last, `term` how often the holder had changed by then.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        name: str,
        holder: str,
        changed: Callable[[bool | None], None],
        *,
        duration: int,
        clock: Clock,
        rng: Random,
        hold_back: Callable[[], bool] = lambda: False,
    ) -> None:
        self.renewed = -inf
        self.current = ""
        self.term = 0
        self._hold_back = hold_back
        self._client = client
        self._path = path
        self._name = name
        self._holder = holder
        self._changed = changed
        self._duration = duration
        self._clock = clock
        self._rng = rng
        self._wanted = asyncio.Event()
        self._state: bool | None = None
        self._changes = Changes(_LOG)
        self._seen: tuple[str, str] = ("", "")
        self._since = 0.0

    def want(self, want: bool) -> None:
        """Try to hold the Lease from now on, or release it."""
        if want:
            self._wanted.set()
        else:
            self._wanted.clear()

    async def run(self) -> None:
        """Hold or release the Lease, as it is wanted, for ever."""
        while True:
            await self._wanted.wait()
            while self._wanted.is_set():
                self._publish(await self._held())
                pause = self._duration / _RENEWALS * (1 - _JITTER * self._rng.random())
                await asyncio.sleep(pause)
            await self.release()

    async def release(self) -> None:
        """Give the Lease up, so that another can take it at once. A failure is logged only."""
        held, self._state, self.renewed = self._state, None, -inf
        if not held:
            return
        try:
            lease = await self._client.get(f"{self._path}/{self._name}", Lease, timeout=_RELEASE_TIMEOUT)
            if lease.spec.holder_identity == self._holder:
                tree = self._tree(lease)
                tree["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._write("PATCH", f"{self._path}/{self._name}", tree, -inf)
        except ApiError as error:
            _LOG.info("the lease %s could not be released: %s", self._name, error)

    def _publish(self, state: bool | None) -> None:
        if state != self._state:
            self._state = state
            self._changed(state)

    async def _held(self) -> bool | None:
        try:
            for _ in range(_TRIES):
                held = await self._try_to_hold()
                if held is not None:
                    self._changes.note(f"the lease {self._name}", "")
                    return held
        except ApiError as error:
            self._changes.note(f"the lease {self._name}", f"it cannot be held: {error}")
        return None

    async def _try_to_hold(self) -> bool | None:
        """Return whether the Lease is held; None where another changed it at the same moment."""
        began = self._clock.mono()
        try:
            lease = await self._client.get(f"{self._path}/{self._name}", Lease)
        except ApiError as error:
            if error.status != 404:
                raise
            return await self._write("POST", self._path, self._tree(None), began)
        if not self._may_take(lease):
            self._saw(lease, -inf)
            return False
        return await self._write("PATCH", f"{self._path}/{self._name}", self._tree(lease), began)

    def _may_take(self, lease: Lease) -> bool:
        spec = lease.spec
        holder = spec.holder_identity or ""
        seen = holder, spec.renew_time or ""
        if seen != self._seen:
            self._seen, self._since = seen, self._clock.mono()
        theirs = min(spec.lease_duration_seconds or 0, _LONGEST * self._duration)
        expires = self._since + max(theirs, self._duration)
        if holder == self._holder:
            return True
        return (not holder or self._clock.mono() >= expires) and not self._hold_back()

    def _saw(self, lease: Lease, renewed: float) -> None:
        self.current, self.term = lease.spec.holder_identity or "", lease.spec.lease_transitions or 0
        self.renewed = renewed

    async def _write(self, method: str, path: str, tree: dict[str, Any], began: float) -> bool | None:
        kind = _PATCH if method == "PATCH" else "application/json"
        try:
            self._saw(await self._client.send(method, path, encode_json(tree), Lease, kind), began)
        except ApiError as error:
            if error.status == 409:
                return None
            raise
        return True

    def _tree(self, lease: Lease | None) -> dict[str, Any]:
        now = _micro_time(self._clock.wall())
        spec: dict[str, Any] = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": self._duration,
            "renewTime": now,
        }
        if lease is None or lease.spec.holder_identity != self._holder:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (lease.spec.lease_transitions or 0) + 1 if lease else 0
        if lease is None:
            return {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name},
                "spec": spec,
            }
        return {"metadata": {"resourceVersion": lease.metadata.resource_version}, "spec": spec}


def _micro_time(wall: float) -> str:
    """Return a MicroTime of the API (RFC 3339 with microseconds)."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

"""Posts Kubernetes Events (events.k8s.io/v1), so that what was done about an object is told where the object is."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from datetime import UTC, datetime
from itertools import count

import msgspec

from kubesonar.core.encoding import encode_json
from kubesonar.kube.client import ApiError, Client
from kubesonar.net.clock import Clock

_LOG = logging.getLogger("kubesonar.kube")

EVENT_REPEAT = 600.0
"""Seconds within which the same Event is not posted again. Less fills etcd with what is known; more, and the Event,
which the API server keeps for an hour by default, is missing where an operator looks."""

EVENTS_HOURLY = 60
"""Most Events in an hour, so that what changes its reason all the time does not burden the API server."""

_NOTE_SIZE = 1024
"""Longest note that the API permits (bytes)."""


class ObjectAddress(msgspec.Struct, frozen=True):
    """The object that an Event is about."""

    kind: str
    namespace: str
    name: str
    uid: str = ""
    api_version: str = "v1"


class EventRecorder:
    """Posts Events as `controller` ("kubesonar.io/doctor"), each from this `instance` (a pod's name). `dropped` counts
    those beyond `EVENTS_HOURLY` and those that the API server did not take, which stops nobody."""

    def __init__(self, client: Client, controller: str, instance: str, clock: Clock) -> None:
        self._client = client
        self._controller = controller
        self._instance = instance
        self._clock = clock
        self._posted: dict[Hashable, float] = {}
        self._numbers = count()
        self.dropped = 0

    async def post(self, about: ObjectAddress, reason: str, action: str, note: str, *, warning: bool = False) -> None:
        """Post an Event unless one of the same object, reason and action was posted within `EVENT_REPEAT` seconds.
        `reason` and `action` are words in CamelCase, `note` is a sentence."""
        now = self._clock.mono()
        key = about, reason, action
        self._posted = {kept: at for kept, at in self._posted.items() if now - at < 3600}
        if now - self._posted.get(key, float("-inf")) < EVENT_REPEAT:
            return
        if len(self._posted) >= EVENTS_HOURLY:
            self.dropped += 1
            return
        self._posted[key] = now
        tree = self._tree(about, reason, action, note, warning)
        path = f"/apis/events.k8s.io/v1/namespaces/{about.namespace}/events"
        try:
            await self._client.send("POST", path, encode_json(tree), _Posted)
        except ApiError as error:
            self.dropped += 1
            _LOG.warning("an Event cannot be posted: %s", error)

    def _tree(self, about: ObjectAddress, reason: str, action: str, note: str, warning: bool) -> dict[str, object]:
        wall = self._clock.wall()
        regarding = {"apiVersion": about.api_version, "kind": about.kind, "namespace": about.namespace}
        regarding |= {"name": about.name} | ({"uid": about.uid} if about.uid else {})
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{about.name[:220]}.{int(wall * 1e6):x}{next(self._numbers):x}"},
            "eventTime": datetime.fromtimestamp(wall, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": self._controller,
            "reportingInstance": self._instance[:128],
            "regarding": regarding,
            "reason": reason,
            "action": action,
            "note": note.encode()[:_NOTE_SIZE].decode(errors="ignore"),
            "type": "Warning" if warning else "Normal",
        }


class _Posted(msgspec.Struct, frozen=True):
    """The answer to a new Event, of which nothing is read."""

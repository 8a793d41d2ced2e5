"""Keeps what must outlive a doctor in an annotation of the Lease that lets only one doctor act (decision 21)."""

from __future__ import annotations

import logging

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.core.remedy.events import RemedyMemory
from kubesonar.doctor.repair.objects import AnnotatedMeta
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import ObjectPart
from kubesonar.kube.types import LeaseSpec
from kubesonar.net.clock import Clock

_LOG = logging.getLogger("kubesonar.doctor")

RESTARTS_ANNOTATION = "kubesonar.io/dns-restarts"
"""The annotation of the Lease."""

_VERSION = 1
_TRIES = 3
"""Attempts in a row where the Lease is renewed at the same moment."""

_PATCH = "application/merge-patch+json"


class _Written(msgspec.Struct, frozen=True):
    """The contents of the annotation: ages are counted from `at` (Unix seconds)."""

    version: int
    at: float
    memory: RemedyMemory


class _Lease(ObjectPart, frozen=True):
    """A Lease with its annotations in full, which `kube.types.Lease` leaves out where they are long."""

    metadata: AnnotatedMeta
    spec: LeaseSpec = LeaseSpec()


class LeaseMemory:
    """Reads and writes the memory in the Lease at `path` (that of one Lease). Only its holder writes: a write of
    another one, or of one that has lost the Lease, fails."""

    def __init__(self, client: Client, path: str, holder: str, clock: Clock) -> None:
        self._client = client
        self._path = path
        self._holder = holder
        self._clock = clock

    async def read(self, spent: RemedyMemory) -> RemedyMemory | None:
        """Return what was written down, nothing of which is an empty memory; `spent` where it cannot be read, so that
        nothing is restarted beyond the budget; None where the API server does not answer."""
        try:
            lease = await self._client.get(self._path, _Lease)
        except ApiError as error:
            _LOG.warning("what was restarted before is not known: %s", error)
            return None
        text = lease.metadata.annotations.get(RESTARTS_ANNOTATION)
        if text is None:
            return RemedyMemory()
        try:
            written = decode_json(text.encode(), _Written)
        except Undecodable as error:
            _LOG.warning("annotation %s of the lease: %s; the budget counts as used up", RESTARTS_ANNOTATION, error)
            return spent
        return written.memory.aged(max(0.0, self._clock.wall() - written.at))

    async def write(self, memory: RemedyMemory) -> bool:
        """Write the memory down; return whether it was, and this doctor holds the Lease."""
        text = encode_json(_Written(_VERSION, self._clock.wall(), memory)).decode()
        try:
            for _ in range(_TRIES):
                lease = await self._client.get(self._path, _Lease)
                if lease.spec.holder_identity != self._holder:
                    return False
                if await self._patched(lease.metadata.resource_version, text):
                    return True
        except ApiError as error:
            _LOG.warning("a restart cannot be written down, so none is made: %s", error)
        return False

    async def _patched(self, version: str, text: str) -> bool:
        tree = {"metadata": {"resourceVersion": version, "annotations": {RESTARTS_ANNOTATION: text}}}
        try:
            await self._client.send("PATCH", self._path, encode_json(tree), _Lease, _PATCH)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

"""Who probes, and the observation that every probe ends in."""

from __future__ import annotations

from typing import Protocol

import msgspec

from kubesonar.model import Check, Network, Observation


class ProbeSource(msgspec.Struct, frozen=True):
    """The member that probes, as it appears in its observations."""

    name: str
    network: Network


class Probe(Protocol):
    """Runs one check. Returns by the check's deadline (start + timeout), whatever the network does, and raises only for
    a bug of ours or when cancelled."""

    async def __call__(self, check: Check) -> Observation: ...

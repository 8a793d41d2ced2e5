"""The member that probes, and the protocol of all probes."""

from __future__ import annotations

from typing import Protocol

import msgspec

from kubesonar.model import Check, Network, Observation


class ProbeSource(msgspec.Struct, frozen=True):
    """The member that probes, as its observations name it."""

    name: str
    network: Network


class Probe(Protocol):
    """A coroutine function that makes one check and returns its observation by the check's deadline (start + timeout),
    whatever the network does. It raises only for a bug of ours or when cancelled."""

    async def __call__(self, check: Check) -> Observation: ...

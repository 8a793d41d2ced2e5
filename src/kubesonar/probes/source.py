"""The member that probes, and the protocol of all probes."""

from __future__ import annotations

from typing import Protocol

from kubesonar.model import Check, Network, Observation


class ProbeSource:
    """The member that probes, as its observations name it. One object for all probes of an agent."""

    __slots__ = ("name", "network")

    def __init__(self, name: str, network: Network) -> None:
        self.name = name
        self.network = network

    def rename(self, name: str) -> None:
        """Have observations from now on name the member so: the roster has this name for it."""
        self.name = name


class Probe(Protocol):
    """A coroutine function that makes one check and returns its observation by the check's deadline (start + timeout),
    whatever the network does. It raises only for a bug of ours or when cancelled."""

    async def __call__(self, check: Check) -> Observation: ...

"""Path MTU: the largest IP packet that passes whole, and how bigger ones fail."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from kubesonar.core.address import family_of
from kubesonar.model import Check, Fault, Observation, Train, clip
from kubesonar.net.kernel.route_mtu import route_mtu
from kubesonar.net.udp.path_mtu import PathResult, PathSearch, SizeOutcome
from kubesonar.net.udp.train import HEADERS, SOMEBODY_ELSE
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.target_identities import TargetIdentities
from kubesonar.probes.udp import train_round_trip

_STRIDE = 64
"""Train numbers set aside for one search. Lower: two searches share numbers; higher: numbers wrap around sooner."""


class MtuOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Search for the largest packet that passes to another member."""

    ceiling: Annotated[
        int,
        msgspec.Meta(
            ge=1280,
            le=9000,
            description="Largest IP packet tried, in bytes; the MTU of the own link and route is the other limit.",
        ),
    ] = 9000
    expect: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=9000,
            description="IP packet in bytes that the own link must take; a smaller MTU of the link is then a fault. "
            "0: any will do.",
        ),
    ] = 0
    tries: Annotated[
        int,
        msgspec.Meta(ge=4, le=32, description="Datagrams of either size compared before big ones are said to vanish."),
    ] = 8
    train: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=32, description="Full-size datagrams sent back to back to find the bottleneck's rate; 0: none."
        ),
    ] = 8


class MtuProbe:
    """Finds the MTU of one path. In the steady state a check costs one small and one full-size datagram and a short
    train, by `engine`; after a black hole the size that passed is tried first. `searcher` sends what is sent only
    where big packets do not pass."""

    def __init__(
        self,
        source: ProbeSource,
        engine: TrainSender,
        searcher: TrainSender,
        options: MtuOptions,
        targets: TargetIdentities | None = None,
    ) -> None:
        self._source = source
        self._engine = engine
        self._searcher = searcher
        self._options = options
        self._targets = targets or TargetIdentities()
        self._holes: dict[str, int] = {}
        self._number = 0

    async def __call__(self, check: Check) -> Observation:
        at = time.time()
        self._number += _STRIDE
        options = self._options
        search = PathSearch(
            self._engine,
            self._searcher,
            check.address,
            check.port,
            timeout=check.timeout,
            ceiling=min(options.ceiling, route_mtu(check.address) or options.ceiling),
            known=self._holes.pop(check.id, 0),
            number=self._number,
            meant=self._targets.meant_by(check),
        )
        result = await search.run(least=options.expect, tries=options.tries, train=options.train)
        if result.outcome in (SizeOutcome.TOLD, SizeOutcome.VANISHED):
            self._holes[check.id] = result.mtu
        return self._observation(check, at, result)

    def _observation(self, check: Check, at: float, result: PathResult) -> Observation:
        fault, detail = _verdict(result, self._options.expect)
        if fault is Fault.MISDELIVERED:
            detail += f" at {check.address}"
        family = family_of(check.address)
        return Observation(
            check=check,
            source=self._source.name,
            network=self._source.network,
            at=at,
            address=check.address,
            family=family,
            source_port=result.small.train.ports[0].port if result.small.train.ports else 0,
            fault=fault,
            received=int(result.outcome is SizeOutcome.PASSED),
            rtt=train_round_trip(result.small),
            train=Train(number=0, size=result.mtu - HEADERS[family], rate=result.rate) if result.mtu else None,
            mtu=result.mtu,
            detail=clip(detail),
        )


def _verdict(result: PathResult, expect: int) -> tuple[Fault | None, str]:
    mtu, limit = result.mtu, result.limit
    match result.outcome:
        case SizeOutcome.PASSED:
            return None, f"{mtu} bytes pass; unproven: an overlay may clear the outer DF and fragment them"
        case SizeOutcome.LINK:
            return Fault.TOO_BIG, f"local limit: the own link takes {limit} bytes, {expect} are expected"
        case SizeOutcome.TOLD:
            return Fault.TOO_BIG, f"{result.by or 'a router'} refuses {limit} bytes as too big; {mtu} pass"
        case SizeOutcome.VANISHED:
            return Fault.BLACK_HOLE, f"{limit} bytes vanish without a word; {mtu} pass"
        case SizeOutcome.UNCLEAR:
            return None, "too many small datagrams are lost to tell whether big ones pass"
        case SizeOutcome.STARVED:
            return Fault.LOCAL, "event loop was late while answers could have come"
        case SizeOutcome.MISDELIVERED:
            return Fault.MISDELIVERED, SOMEBODY_ELSE
        case SizeOutcome.SILENT:
            fault, detail = result.small.fault()
            return fault or Fault.TIMEOUT, f"small datagrams do not pass either: {detail}"

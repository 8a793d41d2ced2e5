"""UDP: trains of datagrams to other members' responders, and what our own responder received of theirs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

import msgspec

from kubesonar.core.address import family_of
from kubesonar.core.wire import codec
from kubesonar.core.wire.identity import MemberIndex
from kubesonar.model import (
    Check,
    Fault,
    Kind,
    Member,
    Network,
    Observation,
    Path,
    Roster,
    Rtt,
    Seconds,
    Side,
    Train,
    clip,
)
from kubesonar.net.udp.train import TrainResult
from kubesonar.net.udp.train_records import TrainRecord
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.target_identities import TargetIdentities

_TARGETS = 16_384
_NUMBERS = 1 << 32


class UdpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Trains of UDP datagrams to other members' responders."""

    train: Annotated[
        int,
        msgspec.Meta(ge=1, le=64, description="Datagrams sent back to back in one check; loss is counted in these."),
    ] = 8
    size: Annotated[
        int, msgspec.Meta(ge=64, le=1400, description="UDP payload of each datagram in bytes; answers have at most 64.")
    ] = 64
    ports: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=64,
            description="Source ports used in turn, so that each ECMP path is tried. Also the most conntrack entries "
            "that this node holds towards one target.",
        ),
    ] = 8
    rebind: Annotated[
        Seconds,
        msgspec.Meta(
            ge=1,
            le=86_400,
            description="One source port is replaced this often, so that no dead conntrack entry sticks.",
        ),
    ] = 120.0
    speak: Annotated[
        int,
        msgspec.Meta(
            ge=codec.OLDEST,
            le=codec.CURRENT,
            description="Newest version of the datagrams to speak and to understand; set it back while rolling back.",
        ),
    ] = codec.CURRENT


class UdpProbe:
    """Sends one train and reports it. `base` is the number of the first train towards each target (32 bits). It must
    grow from start to start of this process, as Unix seconds do: else the responder takes new trains for old ones."""

    def __init__(
        self,
        source: ProbeSource,
        engine: TrainSender,
        options: UdpOptions,
        base: int,
        targets: TargetIdentities | None = None,
    ) -> None:
        self._source = source
        self._engine = engine
        self._options = options
        self._base = base
        self._targets = targets or TargetIdentities()
        self._numbers: dict[str, int] = {}

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`. An answer by another member than the target counts as none. A train to another member has one
        datagram that fills the path's MTU."""
        result = await self._engine.train(
            check.address,
            check.port,
            number=self._next(check.target),
            count=self._options.train,
            size=self._options.size,
            timeout=check.timeout,
            meant=self._targets.meant_by(check),
            full=check.path is not Path.LOOPBACK,
        )
        fault, detail = result.fault()
        if fault is Fault.MISDELIVERED:
            detail += f" at {check.address}"
        if check.path is Path.LOOPBACK and fault is Fault.TIMEOUT:
            fault = Fault.LOCAL  # the responder that did not answer is this process
        return Observation(
            check=check,
            source=self._source.name,
            network=self._source.network,
            at=result.at,
            address=check.address,
            family=family_of(check.address),
            source_port=result.train.ports[0].port if result.train.ports else 0,
            fault=fault,
            sent=result.sent,
            received=result.received,
            rtt=train_round_trip(result),
            train=result.train,
            mtu=result.too_big.mtu if fault is Fault.TOO_BIG and result.too_big else 0,
            detail=clip(detail),
        )

    def _next(self, target: str) -> int:
        """The next train number. Both families of a target count together, so that no two trains share one."""
        number = self._numbers.pop(target, self._base) % _NUMBERS
        self._numbers[target] = number + 1
        if len(self._numbers) > _TARGETS:
            del self._numbers[next(iter(self._numbers))]
        return number


def train_round_trip(result: TrainResult) -> Rtt | None:
    """Return the round trips of a train, None where none was measured."""
    rtts = result.rtts
    if not rtts:
        return None
    steps = [abs(after - before) for before, after in pairwise(rtts)]
    return Rtt(
        best=min(rtts),
        mean=sum(rtts) / len(rtts),
        worst=max(rtts),
        clock=result.clock,
        jitter=sum(steps) / len(steps) if steps else 0.0,
    )


def responder_observation(record: TrainRecord, source: ProbeSource, peer: str) -> Observation:
    """Return the observation of a train of the member `peer` that our responder counted."""
    return Observation(
        check=Check(
            id=f"udp/from/{peer}",
            kind=Kind.UDP,
            path=Path.HOST if source.network is Network.HOST else Path.POD,
            target=peer,
            address=record.peer,
        ),
        source=source.name,
        network=source.network,
        at=record.at,
        side=Side.RESPONDER,
        address=record.peer,
        family=record.family,
        source_port=record.ports[0].port if record.ports else 0,
        sent=record.answered,
        received=record.received,
        train=Train(
            number=record.number,
            duplicates=record.duplicates,
            reordered=record.reordered,
            seen=record.announced,
            size=record.size,
            ports=record.ports,
            full=record.full,
            full_sent=int(record.full_answered),
            full_received=int(record.full > 0),
        ),
        detail=f"{record.received} of {record.announced} arrived",
    )


class TrainObserver:
    """Gives `observe` an observation for each record of our responder about another member's train. `strangers` counts
    trains whose sender the roster does not name: nobody could join them, and anybody can forge them. `probers` are the
    identities of the members that probed this one, with the time of the last train (Unix seconds)."""

    def __init__(self, source: ProbeSource, observe: Callable[[Observation], None]) -> None:
        self.strangers = 0
        self.probers: dict[str, float] = {}
        self._source = source
        self._observe = observe
        self._index = MemberIndex()
        self._me = ""

    def roster_changed(self, roster: Roster, me: Member) -> None:
        """Learn which members may send trains, and which of them is this one."""
        self._index = MemberIndex((*roster.members, me))
        self._me = me.identity
        named = {member.identity for member in roster.members}
        self.probers = {id: at for id, at in self.probers.items() if id in named}

    def arrived(self, record: TrainRecord) -> None:
        """Report one record. A train of this member itself is left out: the check of the loopback reports it."""
        peer = self._index.find(record.source, record.alias)
        if peer is None:
            self.strangers += 1
        elif peer.identity != self._me:
            self.probers[peer.identity] = record.at
            self._observe(responder_observation(record, self._source, peer.name))

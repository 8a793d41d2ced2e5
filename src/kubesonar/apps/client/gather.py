"""Asks all agents at once for their snapshots, and judges the mesh by them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from kubesonar.apps.client.collector_client import CollectorClient, CollectorSilent
from kubesonar.apps.client.sources import SnapshotSource, others, owner
from kubesonar.apps.client.times import clock
from kubesonar.core.decoding import decode_document
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import NOTHING_KNOWN, Known, verdict_on
from kubesonar.core.telemetry.labels import relabelled
from kubesonar.model import SCHEMA, Health, Network, Roster, Snapshot, Verdict, clip
from kubesonar.net.clock import SystemClock
from kubesonar.net.http.client import Fetched, Fetcher
from kubesonar.views.matrix import Matrix, matrices

SNAPSHOT_PATH = "/api/v1/snapshot"

MAX_MEMBERS = 2000
"""Most agents that are asked; the others are reported as unread. Fewer, and a large mesh is not judged whole; more, and
a roster that invents members makes one command open that many connections."""

_AT_ONCE = 64
"""Connections open at once; fewer, and a large mesh takes longer than one look; more, and descriptors run out."""

_BODY_LIMIT = 8 << 20
"""Largest snapshot (bytes); smaller, and an agent with thousands of edges is unread."""


_REASON_LIMIT = 120
"""Longest reason why there is no snapshot, in characters. Shorter, and the field at fault is cut off; longer, and a
stranger fills the terminal."""


class AgentAccess(msgspec.Struct, frozen=True, kw_only=True):
    """The terms on which agents are asked: the bearer token, the file of CA certificates (empty: the system's), the
    seconds that one answer may take, whether members that only a roster names are asked too (None: where one source is
    given), and the collector that is asked in place of agents (as `SnapshotSource.url`, empty: none)."""

    token: str = ""
    ca_file: str = ""
    timeout: float = 2.0
    everybody: bool | None = None
    collector: str = ""


class Gathered(msgspec.Struct, frozen=True):
    """The snapshots of the agents that could be read, and why the others could not, by member's name or address.
    `over_network`: whether all were read over the network, which shows that something gets through to them."""

    snapshots: list[Snapshot]
    unread: dict[str, str]
    over_network: bool = False


class Assessment(msgspec.Struct, frozen=True):
    """The snapshots read at `at` (Unix seconds), the verdict, and a function that draws who reaches whom. Drawing waits
    until it is asked for, because a collector sends the matrix, its largest document, for that alone."""

    at: float
    snapshots: list[Snapshot]
    verdict: Verdict
    draw: Callable[[Sequence[Network]], Awaitable[tuple[Matrix, ...]]]

    async def matrices(self, networks: Sequence[Network] = (Network.POD, Network.HOST)) -> tuple[Matrix, ...]:
        """Return who reaches whom, a matrix for each network; none where the collector does not tell."""
        return await self.draw(networks)


async def assess(
    sources: Sequence[SnapshotSource],
    access: AgentAccess | None = None,
    known: Known = NOTHING_KNOWN,
    before: Sequence[Roster] = (),
) -> Assessment:
    """Ask all agents once and judge; or ask the collector, where `access` names one. What is `known` from earlier looks
    keeps its beginning; `before` are the rosters that were read last."""
    if access is not None and access.collector:
        return await _collected(access)
    gathered = await gather(sources, access, before)
    return assess_gathered(gathered, SystemClock().wall(), known)


def assess_gathered(gathered: Gathered, now: float, known: Known = NOTHING_KNOWN) -> Assessment:
    """Return what the snapshots that were read at `now` (Unix seconds) show."""
    found = basis(gathered.snapshots, gathered.unread, now, over_network=gathered.over_network)

    async def draw(networks: Sequence[Network]) -> tuple[Matrix, ...]:
        return matrices(found, networks)

    return Assessment(now, gathered.snapshots, verdict_on(found, clock, known), draw)


async def _collected(access: AgentAccess) -> Assessment:
    """Ask the collector. One that does not answer makes all unknown, as agents that do not."""
    client = CollectorClient(access.collector, access.token, access.ca_file, access.timeout)
    now = SystemClock().wall()

    async def draw(networks: Sequence[Network]) -> tuple[Matrix, ...]:
        try:
            drawn = await client.matrices()
        except CollectorSilent:
            return ()
        return tuple(one for one in drawn if one.network in networks)

    try:
        verdict = await client.verdict()
    except CollectorSilent as silent:
        verdict = Verdict(Health.UNKNOWN, f"cannot tell: {silent}", now)
    return Assessment(now, [], verdict, draw)


async def gather(
    sources: Sequence[SnapshotSource], access: AgentAccess | None = None, before: Sequence[Roster] = ()
) -> Gathered:
    """Ask every source, and then the members that they name where `access.everybody` says so. Where none of them
    answers, the members of the rosters that were read `before` are asked."""
    access = access or AgentAccess()
    first = await _ask_all(sources, access)
    everybody = len(sources) == 1 if access.everybody is None else access.everybody
    remote = next((source for source in sources if source.remote), None)
    if everybody and remote is not None and (first.snapshots or before):
        rest = others(first.snapshots, sources, remote, before)
        second = await _ask_all(rest, access)
        first = Gathered(first.snapshots + second.snapshots, first.unread | second.unread, first.over_network)
    return one_of_each(first)


async def _ask_all(sources: Sequence[SnapshotSource], access: AgentAccess) -> Gathered:
    gate = asyncio.Semaphore(_AT_ONCE)
    fetcher = Fetcher(token=access.token, ca_file=access.ca_file, timeout=access.timeout, limit=_BODY_LIMIT)

    async def ask(source: SnapshotSource) -> Snapshot | str:
        async with gate:
            return read_snapshot(await fetcher.get(source.url, SNAPSHOT_PATH, source.addresses), source)

    chosen = sources[:MAX_MEMBERS]
    with fetcher:
        answers = await asyncio.gather(*map(ask, chosen))
    unread = {source.label: f"not asked: more than {MAX_MEMBERS} agents" for source in sources[MAX_MEMBERS:]}
    unread |= {s.label: answer for s, answer in zip(chosen, answers, strict=True) if isinstance(answer, str)}
    read = [answer for answer in answers if isinstance(answer, Snapshot)]
    return Gathered(read, unread, all(source.remote for source in chosen))


def read_snapshot(fetched: Fetched, source: SnapshotSource) -> Snapshot | str:
    """Return the snapshot in an answer, or the reason why there is none."""
    if fetched.failure:
        return clip(fetched.failure, _REASON_LIMIT)
    if fetched.status != 200:
        return _STATUS.get(fetched.status, f"HTTP status {fetched.status}")
    snapshot = decode_snapshot(fetched.body)
    if isinstance(snapshot, Snapshot) and not source.names(snapshot.member):
        return f"somebody else answers: {clip(snapshot.member.name, _REASON_LIMIT // 2)}"
    return snapshot


def decode_snapshot(body: bytes) -> Snapshot | str:
    """Return the snapshot in `body`, or the reason why there is none. Everything in it is a stranger's claim."""
    return decode_document(body, Snapshot, SCHEMA, "snapshot")


_STATUS = {
    401: "it asks for a token, or another one (--token-file)",
    403: "it does not let us read",
    404: "it has no snapshot: not an agent, or another version",
}


def newest(snapshots: Iterable[Snapshot]) -> dict[str, Snapshot]:
    """Return one snapshot for each member's name: that of its latest life, and of that the latest."""
    found: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        known = found.get(snapshot.member.name)
        if known is None or (snapshot.member.epoch, snapshot.at) >= (known.member.epoch, known.at):
            found[snapshot.member.name] = snapshot
    return found


def one_of_each(gathered: Gathered) -> Gathered:
    """Return one snapshot of each member. An address that could not be read goes by its member's name where that is
    known, and not at all where the member was read elsewhere."""
    found = newest(relabelled(gathered.snapshots))
    unread = {_named(label, found.values()): why for label, why in gathered.unread.items()}
    unread = {label: why for label, why in unread.items() if label not in found}
    return Gathered(list(found.values()), unread, gathered.over_network)


def _named(label: str, snapshots: Iterable[Snapshot]) -> str:
    if "://" not in label:
        return label
    return next(filter(None, (owner(label, snapshot.roster.members) for snapshot in snapshots)), label)

"""Reads the snapshots of all agents at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from kubesonar.apps.sources import SnapshotSource, others, owner
from kubesonar.model import SCHEMA, Snapshot, clip
from kubesonar.net.http.fetcher import Fetched, Fetcher

SNAPSHOT_PATH = "/api/v1/snapshot"
MAX_MEMBERS = 2000
"""Agents asked at most; the rest is reported as unread."""

_AT_ONCE = 64
_BODY_LIMIT = 8 << 20
_REASON_LIMIT = 120


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How agents are asked: the bearer token, the file of CA certificates (empty: the system's), the time (s) that one
    answer may take, and whether members that only a roster names are asked too (None: where one source is given)."""

    token: str = ""
    ca_file: str = ""
    timeout: float = 2.0
    everybody: bool | None = None


class Gathered(msgspec.Struct, frozen=True):
    """The snapshots of the agents that could be read, and why the others could not, by member's name or address."""

    snapshots: list[Snapshot]
    unread: dict[str, str]


class _Head(msgspec.Struct):
    schema: int


async def gather(sources: Sequence[SnapshotSource], access: Access | None = None) -> Gathered:
    """Asks every source, and then the members that they name where `access.everybody` says so."""
    access = access or Access()
    first = await _ask_all(sources, access)
    everybody = len(sources) == 1 if access.everybody is None else access.everybody
    remote = next((source for source in sources if source.remote), None)
    if everybody and remote is not None and first.snapshots:
        rest = others(first.snapshots, sources, remote)
        second = await _ask_all(rest, access)
        first = Gathered(first.snapshots + second.snapshots, first.unread | second.unread)
    return _tidy(first)


async def _ask_all(sources: Sequence[SnapshotSource], access: Access) -> Gathered:
    gate = asyncio.Semaphore(_AT_ONCE)
    fetcher = Fetcher(token=access.token, ca_file=access.ca_file, timeout=access.timeout, limit=_BODY_LIMIT)

    async def ask(source: SnapshotSource) -> Snapshot | str:
        async with gate:
            return read_snapshot(await fetcher.get(source.url, SNAPSHOT_PATH), source)

    chosen = sources[:MAX_MEMBERS]
    with fetcher:
        answers = await asyncio.gather(*map(ask, chosen))
    unread = {source.label: f"not asked: more than {MAX_MEMBERS} agents" for source in sources[MAX_MEMBERS:]}
    unread |= {s.label: answer for s, answer in zip(chosen, answers, strict=True) if isinstance(answer, str)}
    return Gathered([answer for answer in answers if isinstance(answer, Snapshot)], unread)


def read_snapshot(fetched: Fetched, source: SnapshotSource) -> Snapshot | str:
    """The snapshot in an answer, or in a few words why there is none. Everything in it is a stranger's claim."""
    if fetched.failure:
        return clip(fetched.failure, _REASON_LIMIT)
    if fetched.status != 200:
        return _STATUS.get(fetched.status, f"HTTP status {fetched.status}")
    try:
        snapshot = msgspec.json.decode(fetched.body, type=Snapshot)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return _unreadable(fetched.body, error)
    if snapshot.schema != SCHEMA:
        return _other_schema(snapshot.schema)
    if source.name and snapshot.member.name != source.name:
        return f"somebody else answers: {clip(snapshot.member.name, _REASON_LIMIT // 2)}"
    return snapshot


_STATUS = {
    401: "it asks for a token, or another one (--token-file)",
    403: "it does not let us read",
    404: "it has no snapshot: not an agent, or another version",
}


def _unreadable(body: bytes, error: Exception) -> str:
    try:
        head = msgspec.json.decode(body, type=_Head)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return f"its answer is no snapshot: {clip(str(error), _REASON_LIMIT)}"
    if head.schema != SCHEMA:
        return _other_schema(head.schema)
    return f"its snapshot is malformed: {clip(str(error), _REASON_LIMIT)}"


def _other_schema(schema: int) -> str:
    return f"version mismatch: its snapshot has schema {schema}, expected {SCHEMA}"


def _tidy(gathered: Gathered) -> Gathered:
    """One snapshot for each member, the newest; addresses that could not be read by the member's name where it is
    known, and nothing unread that was read elsewhere."""
    newest: dict[str, Snapshot] = {}
    for snapshot in gathered.snapshots:
        known = newest.get(snapshot.member.name)
        if known is None or (snapshot.member.epoch, snapshot.at) >= (known.member.epoch, known.at):
            newest[snapshot.member.name] = snapshot
    unread = {_named(label, newest.values()): why for label, why in gathered.unread.items()}
    return Gathered(list(newest.values()), {label: why for label, why in unread.items() if label not in newest})


def _named(label: str, snapshots: Iterable[Snapshot]) -> str:
    if "://" not in label:
        return label
    return next(filter(None, (owner(label, snapshot.roster.members) for snapshot in snapshots)), label)

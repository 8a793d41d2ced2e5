"""Members from a file, which is read again when it changes. A bad file leaves the last roster in force, marked stale.

The format is YAML, or JSON for big ones (it is read many times faster):

    version: 1
    members:
      - {name: node-1-pod, node: node-1, network: pod, zone: a, addresses: [10.0.1.2, "fd00:1::2"], port: 7473}
      - {name: node-2-pod, node: node-2, network: pod, addresses: [10.0.2.2], state: draining, reason: kernel upgrade}
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Annotated, Any

import msgspec

from kubesonar.config.yamltext import read_yaml
from kubesonar.core.address import is_unicast, packed_address
from kubesonar.core.decoding import Undecodable, convert_plain, decode_json
from kubesonar.discovery.options import RosterOptions
from kubesonar.model import LONGEST_NAME, Member, Network, Roster, State, UnixTime, clip, is_name
from kubesonar.net.ticks import Ticks
from kubesonar.net.watched_file import WatchedFile, read_file, reason_of

FILE_VERSION = 1
_SIZE_LIMIT = 16 * 2**20
"""Largest file read (bytes)."""

_MEMBER_LIMIT = 50_000
"""Most members of one file."""


class RosterError(ValueError):
    """A members file that cannot be used. The text is a clause that follows the file's name."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    node: str
    addresses: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=16)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    network: Network = Network.POD
    zone: str = ""
    epoch: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] = 0
    state: State = State.SERVING
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    since: UnixTime = 0.0

    def __post_init__(self) -> None:
        for field, text in (("name", self.name), ("node", self.node), ("zone", self.zone or "none")):
            if not is_name(text):
                raise ValueError(f"{field}: expected 1 to {LONGEST_NAME} printable characters")
        if not self.reason.isprintable():
            raise ValueError("reason: expected printable characters")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    members: Annotated[tuple[_Entry, ...], msgspec.Meta(max_length=_MEMBER_LIMIT)]


def parse(text: bytes) -> Roster:
    """Return the roster that the text of a members file holds. Raises RosterError."""
    if not text.strip():
        raise RosterError("is empty: expected 'version: 1' and 'members: […]'")
    tree = _tree(text)
    version = tree.get("version") if isinstance(tree, dict) else None
    if version != FILE_VERSION:
        raise RosterError(f"has version {clip(repr(version), 40)}, expected {FILE_VERSION}")
    try:
        file = convert_plain(tree, _File)
    except Undecodable as error:
        raise RosterError(f"is not a list of members: {clip(str(error))}") from None
    members = tuple(_member(entry) for entry in file.members)
    _refuse_doubles(members)
    return Roster(revision=sha256(text).hexdigest()[:16], members=members)


def _tree(text: bytes) -> Any:
    is_json = text.lstrip()[:1] == b"{"
    try:
        return decode_json(text, object) if is_json else read_yaml(text, limit=_SIZE_LIMIT)
    except Undecodable as error:
        raise RosterError(f"{'is not JSON: ' if is_json else ''}{clip(str(error))}") from None


def _member(entry: _Entry) -> Member:
    for address in entry.addresses:
        if not is_unicast(address):
            given = clip(repr(address), 60)
            raise RosterError(f"has a bad members[{entry.name}].addresses: {given} is no IP address of one machine")
    if entry.network is Network.OTHER:
        raise RosterError(f"has a bad members[{entry.name}].network: expected pod or host")
    return Member(**{field: getattr(entry, field) for field in entry.__struct_fields__})


def _refuse_doubles(members: tuple[Member, ...]) -> None:
    name, count = max(Counter(member.name for member in members).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise RosterError(f"names two members alike: the name {clip(name, 60)} is there {count} times")
    same: dict[str, str] = {}
    at: dict[tuple[bytes, int], str] = {}
    for member in members:
        twin = same.setdefault(member.identity, member.name)
        if twin != member.name:
            both = f"{clip(twin, 60)} and {clip(member.name, 60)}"
            raise RosterError(f"has {both} with the same node, network and port: expected one member for each")
        for address in member.addresses:
            other = at.setdefault((packed_address(address), member.port), member.name)
            if other != member.name:
                where = f"{address} port {member.port}"
                raise RosterError(f"has {clip(other, 60)} and {clip(member.name, 60)} at the same address, {where}")


def read_members(path: str) -> Roster:
    """Return the roster in the file at `path`. Raises RosterError."""
    try:
        text = read_file(path, _SIZE_LIMIT)
    except OSError as error:
        raise RosterError(f"cannot be read: {reason_of(error)}") from None
    except ValueError as error:
        raise RosterError(str(error)) from None
    return parse(text)


class FileRoster:
    """Watches a members file.

    `changed` is called with the first roster and with each that differs from the one before; when the file turns bad,
    with the last good one, marked stale.
    """

    source = "file"

    def __init__(self, options: RosterOptions, changed: Callable[[Roster], None]) -> None:
        self._path = options.file
        self._poll = options.poll
        self._changed = changed
        self._file = WatchedFile(partial(read_members, options.file), options.file)
        self._roster = Roster("", ())

    async def watch(self) -> None:
        """Watch for ever.

        A changed file is read once it has kept still for one period, since a list that is cut in half while it is
        written can be valid YAML; and in a thread, since a big one takes long.
        """
        await self._read()
        ticks = Ticks.of(asyncio.get_running_loop())
        while True:
            await ticks.each(self._poll, lambda _: self._file.settled())
            await self._read()

    async def _read(self) -> None:
        try:
            roster, trouble = await asyncio.to_thread(self._file.get), self._file.trouble
        except RosterError as error:
            roster, trouble = Roster("", ()), str(error)
        if trouble:
            roster = msgspec.structs.replace(roster, stale=f"members file {self._path} {trouble}")
        if roster != self._roster:
            self._roster = roster
            self._changed(roster)

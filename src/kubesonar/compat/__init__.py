"""Rooms in which an older tool's users find everything where it was. Sealed: nothing imports them but who composes
programs, and they do not know each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import msgspec

from kubesonar.config import ConfigError


class RoomRow(NamedTuple):
    """A row of the table, each field "module:function": `open` is called with the environment, returns a `Room` and
    raises ConfigError; `acceptance` returns a `AcceptanceTest`, empty where the room has none."""

    open: str
    acceptance: str = ""


ROOMS: dict[str, RoomRow] = {
    "kubenurse": RoomRow(
        "kubesonar.compat.kubenurse.room:open_kubenurse", "kubesonar.compat.kubenurse.acceptance:KubenurseAcceptance"
    ),
    "knh": RoomRow("kubesonar.compat.knh.room:open_knh"),
}


class Room(Protocol):
    """An older tool's listeners and whatever feeds them."""

    async def run(self, leave: asyncio.Event) -> None:
        """Serves until `leave` is set and the room's own grace is over. Raises ConfigError where an address or a file
        cannot be used."""
        ...


class LabPlacement(msgspec.Struct, frozen=True):
    """Where the lab puts a room: the pod it runs in, the port it is to listen on at each of the pod's addresses, and a
    Unix socket beside; an API server's address, port and the directory of a service account for it; and the URL of an
    entrance that leads to all the rooms in turn."""

    pod: str
    node: str
    addresses: tuple[str, ...]
    port: int
    socket: str
    api_addresses: tuple[str, ...]
    api_port: int
    account: str
    entrance: str


RoomRequest = Callable[[str], Awaitable[tuple[int, bytes]]]
"""Gets a path of a room; status (0: no answer) and body."""


class AcceptanceTest(Protocol):
    """How the lab puts a room to the test."""

    def environ(self, place: LabPlacement) -> dict[str, str]:
        """What the room is told there, in the older tool's variables."""
        ...

    async def complaint(self, ask: RoomRequest) -> str:
        """What keeps the room from the older tool's own acceptance, in one clause; empty once it is accepted."""
        ...


def open_room(name: str, environ: Mapping[str, str]) -> Room:
    """The room of that name, told by the older tool's own environment variables. Raises ConfigError."""
    room: Room = _load(_row("rooms", name, ROOMS).open)(environ)
    return room


def acceptance_test(name: str) -> AcceptanceTest:
    """How the lab tries that room. Raises ConfigError."""
    ready = {known: row for known, row in ROOMS.items() if row.acceptance}
    found: AcceptanceTest = _load(_row("--compat", name, ready).acceptance)()
    return found


def _row(key: str, name: str, rows: Mapping[str, RoomRow]) -> RoomRow:
    if name not in rows:
        raise ConfigError(f'{key}: there is no room "{name[:40]}", expected {" or ".join(rows)}')
    return rows[name]


def _load(target: str) -> Callable[..., Any]:
    module, _, function = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found

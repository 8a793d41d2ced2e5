"""Older tools' endpoints, metrics, webhooks and variables: a room for each tool, which runs beside an agent or alone.

In: a tool's environment variables. Out: a `Room`, which serves what the tool served. Read this file first, then the
README.md of a room. Rooms do not know each other, and only programs import them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import msgspec

from kubesonar.config import ConfigError


class RoomRow(NamedTuple):
    """A row of the table of rooms, each field "module:function". `open` takes the environment, returns a `Room` and
    raises ConfigError; `acceptance` returns an `AcceptanceTest`, and is empty where the room has none."""

    open: str
    acceptance: str = ""


ROOMS: dict[str, RoomRow] = {
    "kubenurse": RoomRow(
        "kubesonar.compat.kubenurse.room:open_kubenurse", "kubesonar.compat.kubenurse.acceptance:KubenurseAcceptance"
    ),
    "knh": RoomRow("kubesonar.compat.knh.room:open_knh"),
}


class Room(Protocol):
    """The listeners of an older tool, and what feeds them."""

    async def run(self, leave: asyncio.Event) -> None:
        """Serve until `leave` is set and the room's own grace is over. Raises ConfigError where an address or a file
        cannot be used."""
        ...


class LabPlacement(msgspec.Struct, frozen=True):
    """The place of a room in the lab: its pod and node, the addresses and the port to listen on, and a Unix socket
    beside; the API server's addresses and port, and a directory with a service account for it; and `entrance`, the URL
    of an ingress that forwards to all rooms in turn."""

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
"""A function that gets a path of a room and returns status (0: no answer) and body."""


class AcceptanceTest(Protocol):
    """The test that a room must pass in the lab."""

    def environ(self, place: LabPlacement) -> dict[str, str]:
        """Return the older tool's variables for a room at that place."""
        ...

    async def failure(self, ask: RoomRequest) -> str:
        """Return in one clause what the room lacks, empty once it has passed."""
        ...


def open_room(name: str, environ: Mapping[str, str]) -> Room:
    """Return the room of that name, configured by `environ`. Raises ConfigError."""
    room: Room = imported(_row("rooms", name, ROOMS).open)(environ)
    return room


def acceptance_test(name: str) -> AcceptanceTest:
    """Return the acceptance test of that room. Raises ConfigError where there is none."""
    tested = {known: row for known, row in ROOMS.items() if row.acceptance}
    found: AcceptanceTest = imported(_row("--compat", name, tested).acceptance)()
    return found


def imported(target: str) -> Callable[..., Any]:
    """Import "module:function" and return the function."""
    module, _, function = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def _row(key: str, name: str, rows: Mapping[str, RoomRow]) -> RoomRow:
    if name not in rows:
        raise ConfigError(f'{key}: there is no room "{name[:40]}", expected {" or ".join(rows)}')
    return rows[name]

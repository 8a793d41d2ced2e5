"""Rooms in which an older tool's users find everything where it was. Sealed: nothing imports them but who composes
programs, and they do not know each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from kubesonar.config import ConfigError

ROOMS: dict[str, str] = {
    "kubenurse": "kubesonar.compat.kubenurse.room:open_room",
}
"""By name, "module:function" to call with the environment; it returns a `Room` and raises ConfigError."""


class Room(Protocol):
    """An older tool's listeners and whatever feeds them."""

    async def run(self, leave: asyncio.Event) -> None:
        """Serves until `leave` is set and the room's own grace is over. Raises ConfigError where an address or a file
        cannot be used."""
        ...


def open_room(name: str, environ: Mapping[str, str]) -> Room:
    """The room of that name, told by the older tool's own environment variables. Raises ConfigError."""
    if name not in ROOMS:
        raise ConfigError(f'rooms: there is no room "{name[:40]}", expected {" or ".join(ROOMS)}')
    module, _, function = ROOMS[name].partition(":")
    opened: Any = getattr(import_module(module), function)(environ)
    room: Room = opened
    return room

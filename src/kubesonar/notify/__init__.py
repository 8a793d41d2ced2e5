"""Telling the outside: one verb. Formats of other tools are functions that programs hand in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kubesonar.model import Notice


class Notifier(Protocol):
    """Somebody to tell."""

    async def notify(self, notice: Notice) -> None:
        """Takes the notice over; what that is worth is the notifier's to say. A notice whose id it still holds is told
        once. Never raises for what the outside does."""
        ...


class AnyReceiver:
    """Tells all of them, in order."""

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        self._notifiers = tuple(notifiers)

    async def notify(self, notice: Notice) -> None:
        """As `Notifier`."""
        for notifier in self._notifiers:
            await notifier.notify(notice)

"""The one verb of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kubesonar.model import Notice


class Notifier(Protocol):
    """A way to notify somebody: the log, or the receivers of webhooks."""

    async def notify(self, notice: Notice) -> None:
        """Take the notice over. A notice whose id the notifier still holds is delivered once. Never raises for what
        happens outside of this process."""
        ...


class Notifiers:
    """Several notifiers as one: each gets every notice, in order."""

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        self._notifiers = tuple(notifiers)

    async def notify(self, notice: Notice) -> None:
        """See `Notifier`."""
        for notifier in self._notifiers:
            await notifier.notify(notice)

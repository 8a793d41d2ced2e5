"""The older tools' webhooks, as formats for what agents tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from kubesonar.model import Condition, Notice, Roster
from kubesonar.notify.formats import Format

ClusterView = Callable[[], tuple[Roster, Mapping[str, Condition]]]
"""What an agent knows now: the members, and the conditions of those that are not well."""

FORMATS: dict[str, str] = {
    "knh-peer": "kubesonar.compat.knh.formats:peer_format",
    "knh-peer-return": "kubesonar.compat.knh.formats:return_format",
    "knh-cluster": "kubesonar.compat.knh.formats:cluster_format",
}
"""By the name that a receiver's option gives, "module:function" to call with a `ClusterView`; it returns the format."""


def formats(view: ClusterView) -> dict[str, Format]:
    """All of them, each loaded when its first notice comes: most agents need none."""
    return {name: _Later(target, view) for name, target in FORMATS.items()}


class _Later:
    def __init__(self, target: str, view: ClusterView) -> None:
        self._target = target
        self._view = view
        self._format: Format | None = None

    def __call__(self, notice: Notice) -> bytes | None:
        if self._format is None:
            module, _, function = self._target.partition(":")
            made: Format = getattr(import_module(module), function)(self._view)
            self._format = made
        return self._format(notice)

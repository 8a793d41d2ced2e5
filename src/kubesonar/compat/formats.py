"""The older tools' webhook bodies, as formats for notices of agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from kubesonar.compat import imported
from kubesonar.model import Condition, Notice, Roster
from kubesonar.notify.formats import Format

ClusterView = Callable[[], tuple[Roster, Mapping[str, Condition]]]
"""A function that returns the members that an agent knows, and the conditions of those that are not well."""

FORMATS: dict[str, str] = {
    "knh-peer": "kubesonar.compat.knh.formats:peer_format",
    "knh-peer-return": "kubesonar.compat.knh.formats:return_format",
    "knh-cluster": "kubesonar.compat.knh.formats:cluster_format",
}
"""Formats by the name that a receiver's option gives: "module:function" to call with the members, their conditions and
a notice. It returns the body, or None for a notice that is not sent in this format."""


def formats(view: ClusterView) -> dict[str, Format]:
    """Return all formats. A module is imported when the first notice is sent in its format: most agents need none."""
    return {name: partial(_body, target, view) for name, target in FORMATS.items()}


def _body(target: str, view: ClusterView, notice: Notice) -> bytes | None:
    body: bytes | None = imported(target)(*view(), notice)
    return body

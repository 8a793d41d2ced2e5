"""Copies of resources and a clock, as tests set them."""

from __future__ import annotations

from collections.abc import Mapping

from kubesonar.kube.types import Node, Pod
from tests.discovery.objects import LATER


class Copy:
    """A copy that holds what a test puts into it."""

    def __init__(self, items: Mapping[str, Pod] | Mapping[str, Node], trouble: str = "", forbidden: str = "") -> None:
        self.items = items
        self.synced = True
        self.trouble = trouble
        self.forbidden = forbidden

    async def run(self) -> None:
        """Never called: the builder only looks."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = LATER

    def wall(self) -> float:
        return self.now

    def mono(self) -> float:
        return self.now

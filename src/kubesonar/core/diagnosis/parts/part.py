"""A row of the table of parts: one kind of part of the network that can be sick."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubesonar.core.diagnosis.parts.shares import Share
from kubesonar.core.diagnosis.parts.subjects import Subjects
from kubesonar.core.diagnosis.parts.traversal import Traversal
from kubesonar.model import Severity


class Part(msgspec.Struct, frozen=True):
    """A row. `penalty` is -log of the prior probability that one given subject is sick, in nats. `fault` is the fault
    in one word. `when` says which routes cross this kind of part (from their shape only), `subjects` which ones of it
    they cross. `total` is the sentence when nothing gets through, `partial` when something does; `variant` tells rows
    of one name apart (the same part, seen in another way)."""

    name: str
    penalty: float
    when: Callable[[Traversal], bool]
    subjects: Callable[[Traversal], Subjects]
    total: str
    partial: str = ""
    variant: str = ""
    fault: str = "loss"
    least: float = 0.0
    """The least rate at which it is told: what depends on size alone hits all big packets, or it is mere loss."""
    both: bool = False
    """Whether it stands for both directions, so that a round trip crosses it twice."""
    ways: tuple[str, str] | None = None
    """The rows that stand for the way in and the way out of the same part."""
    share: Share | None = None
    """The shares of trials on a route that cross this subject, where not all do."""
    serves: Callable[[Traversal], bool] | None = None
    """Whether a trial of a Service fails because of it, at its `share`. They are no evidence of it: whether the members
    behind a Service can be read, which rules it out, is not known of these trials."""
    common: bool = False
    """Whether all trials cross it, each at a place of its own."""
    whole: bool = False
    """Whether it fails whole requests, as servers do, and not single packets, of which kernels send some again."""
    seconds: int = 3
    """Number of different seconds in which it must have been bad, so that one burst is no fault."""
    age: float = 0.0
    """Seconds for which it must have lasted before it is told."""
    severity: Severity = Severity.WARNING
    """The reach of such a fault."""
    hides: Callable[[Traversal], bool] | None = None
    """Whether a trial of these subjects says nothing of its own once this part is known to be sick."""

    def hidden(self, route: Traversal, subject: str) -> bool:
        """Whether this part being sick leaves trials on that route without meaning."""
        return self.hides is not None and self.hides(route) and subject in self.subjects(route)

"""Keeps what earlier lists of pods and nodes said that the present ones do not say any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kubesonar.discovery.pods.node_state import is_cordoned, is_shutting_down, not_ready
from kubesonar.kube.object_meta import find_condition
from kubesonar.kube.types import Node, Pod

PodKey = tuple[str, str | None]
"""The name of a pod and its time of creation: a successor may have the same name."""


class History:
    """Compares each list of pods and nodes with those before it.

    `doubtful` are the names of nodes that pods run on and that were never listed, while the list is out of date: their
    absence proves nothing. `shut_down` are the names of nodes that said that they shut down and are not ready since,
    `failed` those of nodes that became unready uncordoned and are so still: a cordon is then an answer to the failure.
    """

    def __init__(self) -> None:
        self.doubtful: frozenset[str] = frozenset()
        self.shut_down: frozenset[str] = frozenset()
        self.failed: frozenset[str] = frozenset()
        self._known: set[str] = set()
        self._ready: set[PodKey] = set()

    def update(self, pods: Collection[Pod], nodes: Mapping[str, Node] | None, *, current: bool = True) -> None:
        """Take note of the present lists; `nodes` is None where they may not be read, `current` whether their list is
        not out of date."""
        used = {pod.spec.node_name for pod in pods}
        listed = nodes or {}
        self._known = (self._known | listed.keys()) & used
        self.doubtful = frozenset() if current else frozenset(used - self._known)
        self._ready &= {_key(pod) for pod in pods}
        self._ready |= {_key(pod) for pod in pods if is_pod_ready(pod)}
        self.shut_down = frozenset(
            name
            for name, node in listed.items()
            if is_shutting_down(node) or (name in self.shut_down and not_ready(node) is not None)
        )

        self.failed = frozenset(
            name
            for name, node in listed.items()
            if not_ready(node) is not None and (name in self.failed or not is_cordoned(node))
        )

    def was_ready(self, pod: Pod) -> bool:
        """Return whether this pod was ready in any list so far."""
        return _key(pod) in self._ready


def is_pod_ready(pod: Pod) -> bool:
    """Return whether a pod is ready."""
    ready = find_condition(pod.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def _key(pod: Pod) -> PodKey:
    return pod.metadata.name, pod.metadata.creation_timestamp

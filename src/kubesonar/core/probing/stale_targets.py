"""Failures of what may be gone: where what there is is only looked up now and then, silence says nothing until it has
been looked up again."""

from __future__ import annotations

import msgspec

from kubesonar.model import Fault, Observation, clip

_TARGETS = 1024


class Doubts:
    """Remembers since when each check has failed, of at most 1,024 targets."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def judged(self, observation: Observation, listed: float) -> Observation:
        """The observation; without an accusation where what there is was `listed` (Unix seconds) before the check began
        to fail."""
        name = observation.check.id
        if observation.fault is None or not observation.fault.accuses:
            self._since.pop(name, None)
            return observation
        since = self._since.setdefault(name, observation.at)
        if len(self._since) > _TARGETS:
            del self._since[next(iter(self._since))]
        if listed > since:
            return observation
        detail = clip(f"{observation.fault}, but it may be gone, not looked up again yet; {observation.detail}")
        return msgspec.structs.replace(observation, fault=Fault.OTHER, detail=detail)

"""Withholds accusations of targets that may be gone: where targets are listed only now and then, silence tells nothing
until they have been listed again."""

from __future__ import annotations

import msgspec

from kubesonar.model import Fault, Observation, clip

_TARGETS = 1024
"""Failing checks remembered; beyond, the oldest is forgotten and its target gets the benefit of the doubt once more."""


class StaleTargets:
    """Remembers since when each check has failed."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def judged(self, observation: Observation, listed: float) -> Observation:
        """Return the observation; its fault becomes OTHER, which accuses nobody, where targets were last `listed` (Unix
        seconds) before the check began to fail."""
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

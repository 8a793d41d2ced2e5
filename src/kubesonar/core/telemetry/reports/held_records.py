"""Holds records at an agent for the next coordinator: text that the agent does not read."""

from __future__ import annotations

from kubesonar.core.telemetry.reports.report import digest_of_kept


class HeldRecords:
    """The text that the last coordinator gave, and what stands for it; both empty before the first."""

    def __init__(self) -> None:
        self.text = ""
        self.digest = ""

    def hold(self, text: str) -> None:
        """Hold this in place of what was held."""
        self.text, self.digest = text, digest_of_kept(text)

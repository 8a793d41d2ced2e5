"""When a verdict may be believed: as long as observations come in, a first answer may be half of the truth."""

from __future__ import annotations

from kubesonar.model import Health, Verdict

AT_MOST = 15.0
"""Seconds after which the verdict stands as it is."""
_CALM = 3.0
"""Seconds for which it must not have changed."""
_LEAST = 6.0
"""Seconds before which nothing is believed."""
_LEAST_BROKEN = 11.0
"""The same where something was broken: two rounds of the slowest probes (mesh.py), lest one fault hide another."""


class Settling:
    """Fed with each verdict, says when one stands. `quick`: good is believed early too, because nothing was broken;
    else only at the end, because a fault may take its time to show."""

    def __init__(self, began: float, *, quick: bool) -> None:
        self._began = began
        self._quick = quick
        self._least = _LEAST if quick else _LEAST_BROKEN
        self._said: tuple[str, ...] = ()
        self._since = began

    def settled(self, now: float, verdict: Verdict) -> bool:
        """Whether this verdict, seen at `now`, stands."""
        said = (verdict.verdict.value, *(f"{finding.part} {finding.subject}" for finding in verdict.findings))
        if said != self._said:
            self._said, self._since = said, now
        if now - self._began >= AT_MOST:
            return True
        believed = verdict.verdict is Health.BAD or (verdict.verdict is Health.GOOD and self._quick)
        return believed and now - self._began >= self._least and now - self._since >= _CALM

"""Decides when a verdict is final: while observations still come in, the first one may be incomplete."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts.node_parts import STARVED
from kubesonar.model import Health, Verdict

AT_MOST = 15.0
"""Seconds after which the verdict is final in any case, where no fault was injected."""
AT_MOST_BROKEN = STARVED + 12.0
"""The same after a fault was injected: an agent that does not run is called frozen only after `STARVED` seconds."""
_CALM = 3.0
"""Seconds without a change after which it is final."""
_LEAST = 6.0
"""Least seconds from the start to a final verdict. Less: parts that are probed seldom are missing in it."""
_LEAST_BROKEN = 11.0
"""The same after a fault was injected: two rounds of the slowest probes (mesh.py), so that one fault hides no other."""
_SLOWER = 3.0
"""Times as long as all this takes at default rates: each target is asked every 10 s."""


class Settling:
    """Takes each verdict and says when one is final. `quick`: a good one may be final early, because no fault was
    injected; else only at the end, because a fault may show late. `slow`: agents probe at default rates."""

    def __init__(self, began: float, *, quick: bool, slow: bool = False) -> None:
        times = _SLOWER if slow else 1.0
        self._began = began
        self._quick = quick
        self._least = times * (_LEAST if quick else _LEAST_BROKEN)
        self._most = times * (AT_MOST if quick else AT_MOST_BROKEN)
        self._said: tuple[str, ...] = ()
        self._since = began

    def settled(self, now: float, verdict: Verdict) -> bool:
        """Whether this verdict, seen at `now` (monotonic seconds), is final."""
        said = (verdict.verdict.value, *(f"{finding.part} {finding.subject}" for finding in verdict.findings))
        if said != self._said:
            self._said, self._since = said, now
        if now - self._began >= self._most:
            return True
        believed = verdict.verdict is Health.BAD or (verdict.verdict is Health.GOOD and self._quick)
        return believed and now - self._began >= self._least and now - self._since >= _CALM

"""Keeps what was done lately and whether it helped: the budget of restarts, the one under way, and when to give up."""

from __future__ import annotations

from kubesonar.core.remedy.events import PendingRestart, RemedyMemory
from kubesonar.core.remedy.options import RemedyOptions

HOUR = 3600.0

LASTING = 600.0
"""Seconds for which a successor must answer for the restart to have helped for good. Less, and a pod that is deaf again
after every restart is restarted for ever; more, and one restart that did not help is held against later ones."""

UNHELPFUL = 2
"""Restarts in a row that did not help after which no more are made. One may be bad luck; more do harm for nothing."""


class RestartHistory:
    """The restarts of one doctor, in seconds of the machine's clock."""

    def __init__(self, options: RemedyOptions) -> None:
        self._options = options
        self._restarts: list[float] = []
        self._trial = ""
        self._trial_since: float | None = None
        self._since = 0.0
        self._before: frozenset[str] = frozenset()
        self.unhelpful = 0
        self.pending: tuple[str, str] | None = None
        """The uid and name of the pod whose successor is waited for."""

    @property
    def given_up(self) -> bool:
        """Whether restarts do not help."""
        return self.unhelpful >= UNHELPFUL

    def recall(self, now: float, memory: RemedyMemory) -> None:
        """Take over what was remembered."""
        pending = memory.pending
        self._restarts = sorted(now - max(0.0, age) for age in memory.restarts)
        self.unhelpful, self._trial, self._trial_since = memory.unhelpful, memory.trial, None
        self.pending = (pending.uid, pending.name) if pending is not None else None
        if pending is not None:
            self._since, self._before = now - max(0.0, pending.age), pending.before

    def memory(self, now: float) -> RemedyMemory:
        """Return what must outlive the process."""
        restarts = tuple(now - at for at in self._restarts if now - at < HOUR)
        pending = PendingRestart(*self.pending, now - self._since, self._before) if self.pending is not None else None
        return RemedyMemory(restarts, self.unhelpful, pending, self._trial)

    def wait(self, now: float) -> float:
        """Return for how many seconds no restart is within the budget, 0 where one is."""
        self._restarts = [at for at in self._restarts if now - at < max(HOUR, self._options.pause)]
        recent = [at for at in self._restarts if now - at < HOUR]
        waits = [self._restarts[-1] + self._options.pause - now] if self._restarts else []
        if len(recent) >= self._options.hourly:
            waits.append(recent[-self._options.hourly] + HOUR - now)
        return max(0.0, *waits, 0.0)

    def begin(self, now: float, uid: str, name: str, before: frozenset[str]) -> None:
        """Note a restart before it is made."""
        self._restarts.append(now)
        self.pending, self._since, self._before = (uid, name), now, before

    def withdraw(self) -> None:
        """Forget the restart under way: nothing happened."""
        self._restarts.pop()
        self.pending = None

    def elapsed(self, now: float) -> float:
        """Return for how long the restart has been under way."""
        return now - self._since

    def successors(self, uids: list[str]) -> list[str]:
        """Return those that were not there when the restart began."""
        return [uid for uid in uids if uid not in self._before]

    def helped(self, now: float, successor: str) -> None:
        """Note that the successor of the restart under way answers; it is watched for `LASTING` seconds."""
        self.pending, self._trial, self._trial_since = None, successor, now

    def failed(self) -> None:
        """Note that the restart under way did not help."""
        self.pending, self._trial = None, ""
        self.unhelpful += 1

    def watch_trial(self, now: float, answering: list[str], sick: list[str]) -> bool:
        """Follow the last successor. Return whether it has fallen sick again, which is then held against restarts."""
        if not self._trial:
            return False
        if self._trial in sick:
            self._trial = ""
            self.unhelpful += 1
            return True
        if self._trial_since is None:
            self._trial_since = now
        if self._trial in answering and now - self._trial_since >= LASTING:
            self._trial, self.unhelpful = "", 0
        return False

    def drop(self) -> None:
        """Wait for no successor any more."""
        self.pending = None

    def forgive(self) -> None:
        """Begin to count anew: all is well."""
        self.pending, self.unhelpful = None, 0

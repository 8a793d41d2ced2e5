"""One suspected member: who is asked about it, what they report, and how many have to agree."""

from __future__ import annotations

from collections.abc import Container

from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import WITNESSES, Reachability
from kubesonar.core.membership.swim.agreement import ProbeReport
from kubesonar.model import Condition

CANDIDATES = 12
"""Members that follow a suspected one on the hash ring, out of which its witnesses are chosen: enough for several zones
and rounds, few enough to be found at no cost."""


class Suspicion:
    """The suspicion of the member `name`, silent `since` that time, in the epoch and incarnation in which it was known.
    `number` is that of the round under way, 0 between two rounds; `condition` is what followed from the rounds so far,
    None while nothing does. `learned`: that is known from the coordinator only, which announced it. `overdue`: the time
    of this round's judgement has passed, and too little was known."""

    __slots__ = (
        "_asked",
        "condition",
        "epoch",
        "incarnation",
        "learned",
        "name",
        "number",
        "overdue",
        "reports",
        "round",
        "since",
    )

    def __init__(self, name: str, since: float, epoch: int, incarnation: int) -> None:
        self.name = name
        self.since = since
        self.epoch = epoch
        self.incarnation = incarnation
        self.round = 0
        self.number = 0
        self.overdue = False
        self.reports: dict[str, ProbeReport] = {}
        self.condition: Condition | None = None
        self.learned = False
        self._asked: set[str] = set()

    def begin(self, number: int) -> None:
        """Begin a round."""
        self.round += 1
        self.number = number
        self.overdue = False
        self.reports.clear()

    def end(self) -> None:
        """End the round: reports that still come belong to none."""
        self.number = 0

    def report(self, view: MemberView, witness: str, reachability: Reachability, weight: float) -> None:
        """Take over the report of a member for this round."""
        self.reports[witness] = ProbeReport(witness, view.members[witness].zone, reachability, weight)

    def asked(self, witness: str) -> bool:
        """Whether this member was asked about the suspected one."""
        return witness in self._asked

    def next_witnesses(self, view: MemberView, asker: str, suspects: Container[str]) -> list[str]:
        """The members to ask next: not those that were asked already, unless nobody else is left."""
        chosen = self._choose(view, asker, suspects)
        if not chosen:
            self._asked.clear()
            chosen = self._choose(view, asker, suspects)
        self._asked.update(chosen)
        return chosen

    def _choose(self, view: MemberView, asker: str, suspects: Container[str]) -> list[str]:
        """One member of the suspect's own zone, the others of as many zones as there are."""
        zone = view.members[self.name].zone
        free = {
            id: view.members[id].zone
            for id in view.neighbours(self.name, CANDIDATES)
            if id != asker and view.members[id].expected and id not in self._asked and id not in suspects
        }
        chosen = [id for id in free if free[id] == zone][:1]
        zones = {zone}
        for fresh in (True, False):
            for id in free:
                if len(chosen) < WITNESSES and id not in chosen and (free[id] not in zones) is fresh:
                    chosen.append(id)
                    zones.add(free[id])
        return chosen

    def needed(self, view: MemberView, asker: str, witnesses: int, zones: int) -> tuple[int, int]:
        """Return how many members must agree, the asker included, and of how many zones: as many as there are, unless a
        round has shown that they cannot be had, as when the rest of a zone is dead too."""
        part, members = view.within(self.name), view.members
        watches = asker in part.members and members[asker].expected
        others = part.serving - members[self.name].expected - watches
        return 1 + min(witnesses, others), min(zones, len(part.zones)) if self.round == 1 else 1

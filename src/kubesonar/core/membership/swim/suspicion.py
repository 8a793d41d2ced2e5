"""One member that did not answer: who is asked about it, what they saw, and how many have to agree."""

from __future__ import annotations

from collections.abc import Container

from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import WITNESSES
from kubesonar.core.membership.swim.agreement import ProbeReport
from kubesonar.model import Condition

CANDIDATES = 12
"""Out of how many members that follow a suspected one on the ring its witnesses are chosen."""


class Case:
    """Since when, in which epoch and incarnation the member was known, who was asked in all rounds, what was said in
    this one, and what follows so far. `number` is the round's, 0 between two rounds."""

    __slots__ = ("asked", "condition", "epoch", "number", "round", "said", "since", "turn")

    def __init__(self, now: float, epoch: int, turn: int) -> None:
        self.since = now
        self.epoch = epoch
        self.turn = turn
        self.round = 0
        self.number = 0
        self.asked: set[str] = set()
        self.said: dict[str, ProbeReport] = {}
        self.condition: Condition | None = None

    def begin(self, number: int) -> None:
        """A new round."""
        self.round += 1
        self.number = number
        self.said.clear()

    def end(self) -> None:
        """The round is over: what is still said of it comes too late."""
        self.number = 0

    def witnesses(self, electorate: MemberView, name: str, asker: str, suspects: Container[str]) -> list[str]:
        """Whom to ask about `name` next: not those that were asked already, unless there is nobody else."""
        chosen = self._choose(electorate, name, asker, suspects)
        if not chosen:
            self.asked.clear()
            chosen = self._choose(electorate, name, asker, suspects)
        self.asked.update(chosen)
        return chosen

    def _choose(self, electorate: MemberView, name: str, asker: str, suspects: Container[str]) -> list[str]:
        """One of the suspect's own zone, the others of as many zones as there are."""
        zone = electorate.members[name].zone
        free = [
            member
            for member in electorate.beyond(name, CANDIDATES)
            if member.expected
            and member.name != asker
            and member.name not in self.asked
            and member.name not in suspects
        ]
        chosen = [member for member in free if member.zone == zone][:1]
        zones = {zone}
        for fresh in (True, False):
            for member in free:
                if len(chosen) < WITNESSES and member not in chosen and (member.zone not in zones) is fresh:
                    chosen.append(member)
                    zones.add(member.zone)
        return [member.name for member in chosen]

    def needed(self, electorate: MemberView, name: str, asker: str, witnesses: int, zones: int) -> tuple[int, int]:
        """How many must agree, the asker included, and of how many zones: as many as there are, unless a round has
        shown that they cannot be had, as when the rest of a zone is dead too."""
        members = electorate.members
        others = electorate.serving - members[name].expected - members[asker].expected
        return 1 + min(witnesses, others), min(zones, len(electorate.zones)) if self.round == 1 else 1

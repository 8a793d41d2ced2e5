"""Tells what rosters say together of each member. Rosters of several agents come in; members, those that are excused
and what the rosters disagree about go out.

Rosters lag behind each other while members come and go, so the word of one excuses a member, but no longer than
rosters may lag (`core/excuses.py`). Then the majority decides, and the disagreement is told: one roster that is wrong
hides no dead member.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from kubesonar.core.excuses import ROSTER_LAG, excuse_limit
from kubesonar.model import Member, Network, Roster, State

_ABSENT = "missing"


class RosterAgreement(msgspec.Struct, frozen=True):
    """All `members` that any roster names, why those that are `excused` need not answer, and a sentence for each of the
    `disagreements` that last for longer than rosters lag."""

    members: dict[str, Member]
    excused: dict[str, str]
    disagreements: tuple[str, ...]


class _Opinion(msgspec.Struct, frozen=True):
    """The opinion of `of` rosters about the member `name`: those of some readers that it is excused, `serving` ones
    that it is not (the youngest of them since `joined`), and the rest do not name it."""

    name: str
    of: int
    excusing: list[tuple[str, Member]]
    serving: int
    joined: float

    @property
    def absent(self) -> int:
        return max(0, self.of - len(self.excusing) - self.serving)

    @property
    def excused_by_majority(self) -> bool:
        return 2 * self.serving < self.of

    def words(self, now: float) -> Iterator[float]:
        """Yield for how many seconds more each word excuses by itself."""
        for _, member in self.excusing:
            yield member.since + excuse_limit(member.state) - now
        if self.absent and self.serving:
            yield self.joined + ROSTER_LAG - now


def agree_on_members(rosters: Mapping[str, Roster], offsets: Mapping[str, float], now: float) -> RosterAgreement:
    """Return what the rosters of these readers say together at `now` (Unix seconds). `offsets` are added to the times
    of each. A date that is not known is an old one. Where single words would leave nobody to answer, none of them
    counts."""
    serving: dict[str, Member] = {}
    opinions: dict[str, _Opinion] = {}
    contested = _contested(rosters, offsets, serving)
    excused: dict[str, str] = {}
    single: set[str] = set()
    for opinion in contested:
        opinions[opinion.name] = opinion
        if opinion.excused_by_majority:
            excused[opinion.name] = _why(opinion)
        elif any(left > 0 for left in opinion.words(now)):
            excused[opinion.name] = _why(opinion)
            single.add(opinion.name)
    if single and not serving.keys() - excused.keys():
        excused = {name: why for name, why in excused.items() if name not in single}
    members = serving | {
        name: max((member for _, member in opinions[name].excusing), key=lambda member: member.epoch)
        for name in opinions
        if opinions[name].excusing and (name in excused or name not in serving)
    }
    return RosterAgreement(members, excused, tuple(_disagreements(opinions.values(), now)))


def _contested(
    rosters: Mapping[str, Roster], offsets: Mapping[str, float], serving: dict[str, Member]
) -> list[_Opinion]:
    """Return the opinions of members that not every roster names as expected, and collect in `serving` those that any
    does. A roster that names nobody of a network does not speak of it: it is one of the other network's members only
    (from DNS), or was never there (an agent that began while its source was away). One that lacks something, as the
    states of members, does not expect a member against rosters that lack nothing."""
    complete = {member.network for members in _complete(rosters) for member in members}
    excusing: dict[str, list[tuple[str, Member]]] = {}
    expecting: Counter[str] = Counter()
    dated: Counter[str] = Counter()
    joined: dict[str, float] = {}
    anew: dict[str, float] = {}
    networks: dict[str, Network] = {}
    speaking: Counter[Network] = Counter()
    for readers in _readers(rosters):
        count, offset = len(readers), min(offsets[reader] for reader in readers)
        complete_itself = not rosters[readers[0]].lacks
        spoken: set[Network] = set()
        for member in rosters[readers[0]].members:
            name = member.name
            votes = count if complete_itself or member.network not in complete else 0
            if votes:
                spoken.add(member.network)
            if member.expected:
                expecting[name] += votes
                known = serving.get(name)
                if known is None or member.epoch >= known.epoch:
                    serving[name] = member
                if member.since and votes:
                    dated[name] += votes
                    joined[name] = min(member.since + offset, joined.get(name, float("inf")))
                    anew[name] = max(member.since + offset, anew.get(name, 0.0))
            else:
                networks[name] = member.network
                excusing.setdefault(name, []).extend((each, _dated(member, offsets[each])) for each in readers)
        speaking.update(dict.fromkeys(spoken, count))
    found = []
    for name in anew.keys() & excusing.keys():
        current = [word for word in excusing[name] if not _outdated(word[1], anew[name])]
        expecting[name] += len(excusing[name]) - len(current)
        excusing[name] = current
    for name in serving.keys() | excusing.keys():
        of = speaking[serving[name].network if name in serving else networks[name]]
        if expecting[name] < of:
            since = joined[name] if expecting[name] and dated[name] == expecting[name] else 0.0
            found.append(_Opinion(name, of, excusing.get(name, []), expecting[name], since))
    return sorted(found, key=lambda opinion: opinion.name)


def _outdated(member: Member, anew: float) -> bool:
    """Whether that member took its leave before others saw it begin anew. Only some hear that it did, as it was told to
    those only that it speaks with; the others would hide its next death for `GOODBYE_LAG`."""
    return member.state is State.LEAVING and member.since < anew


def _readers(rosters: Mapping[str, Roster]) -> Iterable[list[str]]:
    """Return the readers that have one and the same list of members, together: of a thousand agents nearly all."""
    groups: dict[tuple[int, bool], list[str]] = {}
    for reader, roster in rosters.items():
        groups.setdefault((id(roster.members), not roster.lacks), []).append(reader)
    return groups.values()


def _complete(rosters: Mapping[str, Roster]) -> Iterable[tuple[Member, ...]]:
    """Return the lists of members of the rosters that lack nothing, each once."""
    return {id(roster.members): roster.members for roster in rosters.values() if not roster.lacks}.values()


def _dated(member: Member, offset: float) -> Member:
    return msgspec.structs.replace(member, since=max(0.0, member.since + offset) if member.since else 0.0)


def _why(opinion: _Opinion) -> str:
    if not opinion.excusing:
        return f"{opinion.name} is joining or leaving: not in every roster"
    _, member = max(opinion.excusing, key=lambda word: word[1].epoch)
    why = f"{member.name} {_state(member)}" + (f": {member.reason}" if member.reason else "")
    count = len(opinion.excusing)
    return why if count == opinion.of else f"{why} ({count} of {opinion.of} rosters say so)"


def _state(member: Member) -> str:
    return member.state.value.replace("_", " ")


def _disagreements(opinions: Iterable[_Opinion], now: float) -> Iterator[str]:
    """Yield a sentence for each way in which old words differ, about all the members that they differ about."""
    about: dict[str, list[str]] = {}
    for opinion in opinions:
        if opinion.serving and not any(left > 0 for left in opinion.words(now)):
            about.setdefault(_parts(opinion), []).append(opinion.name)
    for parts, names in about.items():
        more = f" and {len(names) - 1} more members" if len(names) > 1 else ""
        yield f"rosters disagree about {names[0]}{more}: {parts}"


def _parts(opinion: _Opinion) -> str:
    """Return what how many say, with one reader where these are few."""
    readers: dict[str, list[str]] = {}
    for reader, member in opinion.excusing:
        readers.setdefault(_state(member), []).append(reader)
    parts = [
        f"{state} in {len(names)}" + (f" (as that of {min(names)})" if 2 * len(names) < opinion.of else "")
        for state, names in sorted(readers.items())
    ]
    parts += [f"{_ABSENT} in {opinion.absent}"] if opinion.absent else []
    return f"{', '.join(parts)}, expected in {opinion.serving} of {opinion.of}"

"""Whether all agents know and sign with the same keys, by their snapshots; what a rotation of keys waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

import msgspec

from kubesonar.model import Snapshot

_SHOWN = 5
"""Most members that a sentence names."""


class AgentKeys(msgspec.Struct, frozen=True):
    """The ids of the keys that one agent accepts, in order, and of the one that it signs with. `knows` is empty where
    the agent does not tell: it is older than that question."""

    member: str
    node: str
    knows: tuple[int, ...]
    signs: int | None


class KeyAgreement(msgspec.Struct, frozen=True):
    """The answer to a question about all agents, in one `sentence`; `agreed` is whether all of them were asked and the
    answer is yes. `unread` says why the others could not be asked, by member."""

    agreed: bool
    sentence: str
    agents: tuple[AgentKeys, ...]
    unread: dict[str, str]


def key_agreement(
    snapshots: Iterable[Snapshot], unread: Mapping[str, str], *, know: int | None = None, sign: int | None = None
) -> KeyAgreement:
    """Return whether all agents know the key `know` and sign with the key `sign`; where neither is given, whether all
    know the same keys and sign with the same one."""
    agents = tuple(sorted(map(_keys, snapshots), key=lambda agent: agent.member))
    yes, sentence = _asked(agents, know, sign) if know or sign else _alike(agents)
    if not agents:
        yes, sentence = False, "no agent answers"
    elif unread:
        sentence += f"; not known of {_listed(sorted(unread))}"
    return KeyAgreement(yes and not unread, sentence, agents, dict(unread))


def _keys(snapshot: Snapshot) -> AgentKeys:
    keys = snapshot.keys
    return AgentKeys(snapshot.member.name, snapshot.member.node, tuple(sorted(keys)), keys[0] if keys else None)


def _asked(agents: tuple[AgentKeys, ...], know: int | None, sign: int | None) -> tuple[bool, str]:
    doubts = []
    if know is not None:
        doubts.append((f"know key {know}", [agent.member for agent in agents if know not in agent.knows]))
    if sign is not None:
        doubts.append((f"sign with key {sign}", [agent.member for agent in agents if agent.signs != sign]))
    if not any(chain.from_iterable(missing for _, missing in doubts)):
        return True, _all(agents, " and ".join(what for what, _ in doubts))
    return False, "; ".join(
        f"{len(missing)} of {len(agents)} agents do not {what}: {_listed(missing)}"
        for what, missing in doubts
        if missing
    )


def _alike(agents: tuple[AgentKeys, ...]) -> tuple[bool, str]:
    if silent := [agent.member for agent in agents if not agent.knows]:
        return False, f"{len(silent)} of {len(agents)} agents do not tell their keys: {_listed(silent)}"
    groups: dict[tuple[tuple[int, ...], int | None], list[str]] = {}
    for agent in agents:
        groups.setdefault((agent.knows, agent.signs), []).append(agent.member)
    if len(groups) == 1:
        (knows, signs) = next(iter(groups))
        return True, _all(agents, _words(knows, signs))
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return False, "; ".join(f"{len(names)} {_words(*held)}: {_listed(names)}" for held, names in ordered)


def _words(knows: tuple[int, ...], signs: int | None) -> str:
    if knows == (0,):
        return "use no keys"
    return f"know {'key' if len(knows) == 1 else 'keys'} {', '.join(map(str, knows))} and sign with {signs}"


def _all(agents: tuple[AgentKeys, ...], what: str) -> str:
    return f"all agents {what} ({len(agents)} of {len(agents)})"


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

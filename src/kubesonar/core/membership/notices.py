"""Notices of what becomes of members: the sentence for people, and an id that every coordinator derives alike, so that
receivers can drop doubles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from kubesonar.core.membership.events import Announce, Apart, Assembled, Doubted
from kubesonar.core.membership.member_view import by_identity, identity_parts
from kubesonar.core.membership.messages import Reachability
from kubesonar.model import Condition, Member, Network, Notice, Roster, State

ID_DIGITS = 32
"""Length of a notice's id, in hex digits: 128 bits."""


def notice_id(subject: str, epoch: int, what: Condition, incarnation: int = 0) -> str:
    """The id of a transition of the member `subject` (of that `epoch`) to `what`. `incarnation` tells two transitions
    of one epoch to the same condition apart; all members hear the same number. For the status after an election the
    epoch is the election's."""
    text = f"{len(subject)}:{subject} {epoch} {what.value} {incarnation}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]


def announced(action: Announce, members: Mapping[str, Member], coordinator: str, at: float) -> Notice | None:
    """The notice of an announcement made `at` that time (Unix seconds), None for a member that is not among `members`
    (by identity: those of the roster and those that left it lately), unless it left. Its subject is the node where all
    members of that are concerned. Only members that are among them are named: text that came in a message does not
    reach people, but for the identity of one that left."""
    member = members.get(action.member)
    if member is None and action.what is Condition.LEFT:
        member = _from_identity(action.member)
    if member is None:
        return None
    seen_by = [(members[seen.name].name, seen.reachability) for seen in action.witnesses if seen.name in members]
    since = None if action.what.ends else at - action.silent
    witnesses = ", ".join(name for name, _ in seen_by)
    by = f"; confirmed by {witnesses}" if witnesses else ""
    silent = f", silent for {action.silent:.1f} s" if since is not None else ""
    called = _called(member, at) if since is not None else ""
    names = [members[one].name for one in (action.member, *action.members) if one in members] or [member.name]
    return Notice(
        id=action.id,
        what=action.what,
        subject=action.node or member.name,
        at=at,
        sentence=f"{_became(action, member, names, members)}{silent}{by}{called}",
        node=member.node,
        epoch=action.epoch,
        since=since,
        evidence=tuple(_REPORTED[reachability].format(name=name) for name, reachability in seen_by),
        coordinator=coordinator,
        component="node" if action.node else "member",
        network=member.network,
        members=tuple(names),
    )


def _from_identity(identity: str) -> Member | None:
    """A member that left before this process was started, of which only the identity is known: node, network, port."""
    node, network = identity_parts(identity)
    try:
        return Member(identity, node, (), 0, Network(network))
    except ValueError:
        return None


def _became(action: Announce, member: Member, names: Sequence[str], members: Mapping[str, Member]) -> str:
    """The beginning of the sentence: who is in which condition."""
    agents = " and ".join(names)
    if action.node:
        return _NODE_BECAME[action.what].format(node=action.node, agents=agents)
    answering = [members[one].name for one in action.answering if one in members]
    if action.what is Condition.DEAD and answering and member.network is Network.POD:
        others = " and ".join(answering)
        return f"the pod network of {member.node} is dead: nobody reaches {agents}, while {others} still answers"
    on = f" on {member.node}" if member.node not in names else ""
    if action.what is Condition.GONE and any(seen.reachability is Reachability.STRANGER for seen in action.witnesses):
        return f"somebody else answers at {' and '.join(member.addresses)}: the agent {agents}{on} is gone"
    return _BECAME[action.what].format(subject=f"{agents}{on}")


def _called(member: Member, at: float) -> str:
    """Return what Kubernetes says of the member's node, where it calls it NotReady."""
    if member.state is not State.NOT_READY:
        return ""
    lasting = f" for {max(0.0, at - member.since):.0f} s" if member.since else ""
    return f"; Kubernetes calls {member.node} NotReady{lasting}" + (f": {member.reason}" if member.reason else "")


def doubted(action: Doubted, me: Member, at: float) -> Notice:
    """The notice of a coordinator that begins or ends to doubt its own view."""
    return Notice(
        id=notice_id(me.name, me.epoch, action.what, int(at)),
        what=action.what,
        subject=me.name,
        at=at,
        sentence=_doubt(action, me),
        node=me.node,
        epoch=me.epoch,
        since=None if action.what is Condition.BACK else at,
        coordinator=me.name,
        component="coordinator",
        network=me.network,
    )


def _doubt(action: Doubted, me: Member) -> str:
    sentence = _DOUBTS[action.what].format(me=me.name, count=action.count, of=action.of)
    if not action.lasting:
        return sentence
    more = f" and {action.count - len(action.nodes)} more" if action.count > len(action.nodes) else ""
    return f"{sentence}, for {action.lasting:.0f} s now: {', '.join(action.nodes)}{more}"


def assembled(action: Assembled, me: Member, roster: Roster, at: float) -> Notice:
    """The notice after an election: who coordinates, which members it hears, and which network elects another one,
    because its members do not answer."""
    others = {apart.network for apart in action.apart}
    electors = by_identity(member for member in roster.members if member.network not in others)
    missing = sorted(electors[id].name for id in electors.keys() - {*action.heard, me.identity})
    heard = len(action.heard) + 1
    sentence = f"{me.name} coordinates and hears {heard} of {action.of} members, itself included"
    return Notice(
        id=notice_id(me.name, me.epoch, Condition.CLUSTER, int(at)),
        what=Condition.CLUSTER,
        subject=me.name,
        at=at,
        sentence=sentence
        + (f"; not {', '.join(missing[:_NAMED])}" if missing else "")
        + "".join(map(_apart, action.apart)),
        node=me.node,
        epoch=me.epoch,
        coordinator=me.name,
        component="coordinator",
        network=me.network,
    )


def _apart(apart: Apart) -> str:
    few = f"only {apart.reached}" if apart.reached else "none"
    return (
        f"; {few} of the {apart.of} agents of the {apart.network.value} network answer it, so that they elect their own"
    )


_NAMED = 10
"""Most members that the sentence after an election names: a longer list is not read."""

_BECAME = {
    Condition.DEAD: "{subject} is dead: neither it nor its host answers anybody",
    Condition.GONE: "the agent {subject} is gone: its host refuses its port",
    Condition.FROZEN: "the agent {subject} is frozen: its host answers, it does not",
    Condition.BACK: "{subject} is back",
    Condition.LEFT: "{subject} left: no roster names it any more",
}

_NODE_BECAME = {
    Condition.DEAD: "{node} is dead: nothing on it answers anybody, neither of its agents {agents}",
    Condition.GONE: "the agents of {node} are gone: its host refuses the ports of {agents}",
    Condition.FROZEN: "the agents of {node} are frozen: its host answers, {agents} do not",
    Condition.BACK: "{node} is back: {agents}",
    Condition.LEFT: "{node} left: no roster names its agents any more",
}

_DOUBTS = {
    Condition.MINORITY: "{me} hears only {count} of {of} members, no majority: it tells of nobody's death",
    Condition.SUSPECT: "{count} of {of} nodes look dead to {me} at once: it suspects itself or the network and tells "
    "of nobody's death",
    Condition.BACK: "{me} trusts what it sees again",
}

_REPORTED = {
    Reachability.SILENT: "{name} got no answer from its host",
    Reachability.REFUSED: "{name} was refused by its host",
    Reachability.STRANGER: "{name} was answered by another member at its address",
    Reachability.KERNEL: "{name} was answered by its host, not by the agent",
    Reachability.AGENT: "{name} was answered",
    Reachability.UNABLE: "{name} could not tell",
    Reachability.OTHER: "{name} could not tell",
}

"""Events and actions of membership: what goes into its machine and what comes out.

A shell (`messaging/shell.py`, `sim/world.py`) feeds each `MembershipEvent` and does each `MembershipAction`. The events
after "Between the machines" pass from one machine of a member to another (`instance.py`) and never reach a shell.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Message, Reachability, Seen, StatusClaim, StatusClaimAck
from kubesonar.model import Condition, Network


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message came from the member `source` of that `epoch`: its datagram was signed and not seen before.
    `elsewhere`: it came from an address that the roster does not have for that member, as its successor's may."""

    source: str
    epoch: int
    message: Message
    elsewhere: bool = False


class HostProbed(msgspec.Struct, frozen=True, gc=False):
    """Result of the `ProbeHost` of that number: any `Reachability` but OTHER."""

    number: int
    target: str
    reachability: Reachability


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The host of `target` refused a datagram (ICMP port unreachable): an answer will not come."""

    target: str


class Throttled(msgspec.Struct, frozen=True, gc=False):
    """The cgroup throttled this process in this share (0 to 1) of the CPU periods of the last seconds. Holds until the
    next report."""

    share: float


class Leaving(msgspec.Struct, frozen=True, gc=False):
    """This member is about to stop, on purpose. `probers` are members that probed it lately."""

    probers: frozenset[str] = frozenset()


class Leased(msgspec.Struct, frozen=True, gc=False):
    """The Lease that guards announcements is this member's (True), another's (False), or the API server does not say
    (None)."""

    mine: bool | None


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """The announcement of this id reached its receivers, so that no other coordinator has to make it again."""

    id: str


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """Before a restart this member was the coordinator, and had announced these claims, which had not ended. To be fed
    after the first `MemberView` that has members."""

    claims: tuple[StatusClaim, ...]


MembershipEvent: TypeAlias = (
    MemberView | Received | HostProbed | Refused | Throttled | Leaving | Leased | Delivered | Remembered
)


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send `message` to the member `to`, once."""

    to: str
    message: Message


class ProbeHost(msgspec.Struct, frozen=True, gc=False):
    """Send the responder of `target` a probe, try a TCP handshake on its port and an ICMP echo, side by side, for
    `timeout` seconds. The probe is answered by the member: AGENT; by another one: STRANGER; else the handshake is
    accepted: KERNEL; refused: REFUSED; only ICMP answered: KERNEL; nothing: SILENT; not possible (no buffers, not
    permitted): UNABLE. Report the result with `HostProbed`."""

    number: int
    target: str
    timeout: float


class Elected(msgspec.Struct, frozen=True, gc=False):
    """The coordinator is now `coordinator` (empty: none), which is this member if `mine`."""

    coordinator: str
    epoch: int
    mine: bool


class Apart(msgspec.Struct, frozen=True, gc=False):
    """A network for which a coordinator does not speak: only `reached` of its `of` members answer it, so that they
    elect a coordinator of their own."""

    network: Network
    reached: int
    of: int


class Assembled(msgspec.Struct, frozen=True, gc=False):
    """To the shell and to the announcer: this coordinator has sent all members a heartbeat. `heard` follow it, and the
    networks for which it speaks have `of` members; others are `apart`. Comes after each election, and when that
    changes."""

    heard: tuple[str, ...]
    of: int
    apart: tuple[Apart, ...] = ()


class Announce(msgspec.Struct, frozen=True, gc=False):
    """Notify the receivers that `member` is now `what`, and so are the others in `members`, where one event befell
    several on one node. Every coordinator derives the same `id`. `silent` is the number of seconds since the member was
    last heard, `witnesses` are those that confirmed it. `node` is the node where all its members are in this condition,
    `answering` those of them that answer. Report the delivery with `Delivered`."""

    id: str
    member: str
    epoch: int
    incarnation: int
    what: Condition
    silent: float
    witnesses: tuple[Seen, ...]
    members: tuple[str, ...] = ()
    node: str = ""
    answering: tuple[str, ...] = ()


class RenewAlerts(msgspec.Struct, frozen=True, gc=False):
    """Send again what is announced and still holds, and what ended lately, to the receivers that forget. Comes every
    `announcing.renewals.RENEWAL` seconds from a coordinator."""

    announced: tuple[Announce, ...]


class Doubted(msgspec.Struct, frozen=True, gc=False):
    """This coordinator doubts its own view, and announces nothing else meanwhile. MINORITY: it hears only `count` of
    `of` members, no majority. SUSPECT: `count` of `of` nodes look dead at once, so the observer or the network is the
    likelier suspect; it comes again, with the seconds that it is `lasting` and the first of these `nodes`, when that
    does not end. BACK: the doubt is over."""

    what: Condition
    count: int
    of: int
    lasting: float = 0.0
    nodes: tuple[str, ...] = ()


class Departed(msgspec.Struct, frozen=True, gc=False):
    """To the shell and to the announcer: these members took their leave and did not begin anew since. In a `MemberView`
    their state is to be LEAVING, as long as the roster says no more of them."""

    members: frozenset[str]


class WantLease(msgspec.Struct, frozen=True, gc=False):
    """Try to hold the Lease that guards announcements, or release it."""

    want: bool


MembershipAction: TypeAlias = (
    Send | ProbeHost | Elected | Assembled | Announce | RenewAlerts | Doubted | Departed | WantLease
)


# Between the machines


class Late(msgspec.Struct, frozen=True, gc=False):
    """To the failure detector and the election: this process did not run for so many seconds. What it did not hear
    meanwhile accuses nobody."""

    seconds: float


class ToSelf(msgspec.Struct, frozen=True, gc=False):
    """A claim of this member for itself as coordinator, or the acknowledgement of one. It never was a datagram."""

    message: StatusClaim | StatusClaimAck


class HeartbeatMissed(msgspec.Struct, frozen=True, gc=False):
    """From the election to the failure detector: this member did not answer the coordinator's heartbeat. `epoch` and
    `incarnation` are those of its last answer, 0 where it never answered."""

    member: str
    epoch: int
    incarnation: int


class CoordinatorLost(msgspec.Struct, frozen=True, gc=False):
    """From the failure detector to the election: others agree that this member, which was coordinator in this epoch, is
    dead, gone or frozen."""

    member: str
    epoch: int


class Refuted(msgspec.Struct, frozen=True, gc=False):
    """From the failure detector to the election: this member's own incarnation has risen to this number."""

    incarnation: int


class FollowerHeard(msgspec.Struct, frozen=True, gc=False):
    """From the election to the announcer: this follower answered the heartbeat that was sent at `at`."""

    member: str
    at: float
    epoch: int
    incarnation: int


class GaveWay(msgspec.Struct, frozen=True, gc=False):
    """From the announcer to the election: this coordinator's roster alone excuses a member that others claim to be
    dead, so that `successor`, one of these, should lead."""

    successor: str


class QuorumQuery(msgspec.Struct, frozen=True, gc=False):
    """From the announcer to the election: who follows this coordinator now? The answer is a `Quorum`."""


class Quorum(msgspec.Struct, frozen=True, gc=False):
    """From the election to the announcer: for which `networks` this coordinator speaks, because a majority of their
    members follows it (none while its own network is not among them), and which of their members do not follow. It has
    led for `tenure` seconds, with a heartbeat every `interval` seconds. `merging`: members of the other network follow
    another one, and one of both may be about to step down."""

    networks: frozenset[Network]
    unheard: frozenset[str]
    tenure: float
    interval: float
    merging: bool = False

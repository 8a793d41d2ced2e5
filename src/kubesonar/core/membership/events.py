"""What the machines of membership are told, and what they answer. `instance.py` is the one that a shell drives;
it hands these on to `election`, `suspicion` and `announcing`.

In: an `MemberView` (the members have changed), `Received`, `Looked`, `Refused`, `Strained`, `Leaving`, `Leased`,
`Told`. Out: `Send`, `Look`, `Elected`, `Assembled`, `Announce`, `Doubted`, `WantLease`. What stands under "between the
machines" never reaches a shell.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Message, Reachability, Seen
from kubesonar.model import Condition


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message came from the member `source` in its `epoch`: its datagram was signed and not seen before."""

    source: str
    epoch: int
    message: Message


class Looked(msgspec.Struct, frozen=True, gc=False):
    """What came of the `Look` of that number: KERNEL, REFUSED, SILENT or UNABLE."""

    number: int
    target: str
    sight: Reachability


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A datagram to `target` was refused by its host (ICMP port unreachable): no need to wait for an answer."""

    target: str


class Strained(msgspec.Struct, frozen=True, gc=False):
    """This process was starved, throttled or frozen for so many seconds: what it did not hear meanwhile accuses
    nobody. A machine that is stepped late finds that out by itself; a shell tells what only it can know."""

    late: float


class Leaving(msgspec.Struct, frozen=True, gc=False):
    """This member is about to stop, on purpose."""


class Leased(msgspec.Struct, frozen=True, gc=False):
    """The guard's Lease is ours (True), another's (False), or the API server does not say (None)."""

    mine: bool | None


class Told(msgspec.Struct, frozen=True, gc=False):
    """The world has been told the announcement of this id: nobody needs to tell it again."""

    id: str


Event: TypeAlias = MemberView | Received | Looked | Refused | Strained | Leaving | Leased | Told


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send `message` to the member `to`, once."""

    to: str
    message: Message


class Look(msgspec.Struct, frozen=True, gc=False):
    """Find out within `timeout` seconds what the host of `target` says: a TCP handshake on the member's port and an
    ICMP echo, side by side. Accepted: KERNEL; refused: REFUSED; only ICMP answered: KERNEL; neither: SILENT;
    not possible (no buffers, not permitted): UNABLE. Answer with `Looked`."""

    number: int
    target: str
    timeout: float


class Elected(msgspec.Struct, frozen=True, gc=False):
    """The coordinator is now `coordinator` (empty: nobody), which is ourselves if `mine`."""

    coordinator: str
    epoch: int
    mine: bool


class Assembled(msgspec.Struct, frozen=True, gc=False):
    """As coordinator we have now asked all members once: these answered, of so many. Comes once after each election."""

    heard: tuple[str, ...]
    of: int


class Announce(msgspec.Struct, frozen=True, gc=False):
    """Tell the world: `member` is now `what`. `id` is the same at every coordinator. `silent`: seconds since it was
    last heard; `witnesses` saw it. Answer with `Told` once it is told."""

    id: str
    member: str
    epoch: int
    turn: int
    what: Condition
    silent: float
    witnesses: tuple[Seen, ...]


class Doubted(msgspec.Struct, frozen=True, gc=False):
    """About ourselves. MINORITY: we hear only `count` of `of` members, no majority; SUSPECT: `count` of `of` look dead
    at once, which says more about us or the network than about them; BACK: that is over. Nothing else is announced
    meanwhile."""

    what: Condition
    count: int
    of: int


class WantLease(msgspec.Struct, frozen=True, gc=False):
    """Try to hold the guard's Lease, or let go of it."""

    want: bool


Action: TypeAlias = Send | Look | Elected | Assembled | Announce | Doubted | WantLease


# Between the machines


class Missing(msgspec.Struct, frozen=True, gc=False):
    """From the election: this member did not answer the coordinator's beacon; it was last known in this epoch and
    incarnation (0: unknown)."""

    name: str
    epoch: int
    turn: int


class Vacant(msgspec.Struct, frozen=True, gc=False):
    """To the election: the member of this name and epoch cannot hold the office, others agree."""

    name: str
    epoch: int


class Holder(msgspec.Struct, frozen=True, gc=False):
    """To suspicion: the coordinator is this member; claims go to it (empty: to nobody yet)."""

    coordinator: str
    epoch: int

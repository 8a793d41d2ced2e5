"""Names members in datagrams: by hashes of 8 bytes (docs/decisions/0009-identity.md)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2s

import msgspec

from kubesonar.model import Member, State

IDENTITY_HEADER = "Kubesonar-Identity"
"""The header of an agent's /healthz that says who answers, as `WireIdentity.claim`."""

NAMED = 2
"""The last wire version in which a member is named by its name."""


def identity_hash(text: str) -> bytes:
    """A member's identity, alias or (until version 2) name as the 8 bytes that stand for it on the wire."""
    return blake2s(text.encode(), digest_size=8, person=b"identity").digest()


class WireIdentity(msgspec.Struct, frozen=True):
    """The hashes of one member: of its identity, of its alias (its identity by address; the identity where no address
    is known) and of its name. `others` are those of further addresses. `certain`: that is who it is, as it was told its
    node or a roster names it; one that has just started may not know yet."""

    identity: bytes
    alias: bytes
    name: bytes
    others: frozenset[bytes] = frozenset()
    certain: bool = True

    @classmethod
    def of(cls, member: Member, certain: bool = True) -> WireIdentity:
        """The hashes of a member."""
        identity = identity_hash(member.identity)
        aliases = [identity_hash(alias) for alias in member.aliases]
        first = aliases[0] if aliases else identity
        return cls(identity, first, identity_hash(member.name), frozenset(aliases[1:]), certain)

    @property
    def claim(self) -> str:
        """The identity as the value of `IDENTITY_HEADER`; empty where it is not certain."""
        return self.identity.hex() if self.certain else ""

    def contradicts(self, claim: str) -> bool:
        """Whether an answer with this claim is another member's. An empty one, which members of an older version make,
        and one that is none contradict nobody."""
        try:
            source = bytes.fromhex(claim)
        except ValueError:
            return False
        return len(source) == len(self.identity) and not self.may_answer(source, True)

    def source(self, version: int) -> bytes:
        """Return what the header of this member's datagrams says in that version."""
        return self.name if version <= NAMED else self.identity

    def may_answer(self, source: bytes, certain: bool) -> bool:
        """Whether an answer of `source`, which is `certain` of who it is, may be this member's. Whoever answers is one
        of which only the address is known, and one that is not certain gets the benefit of the doubt."""
        if source == self.identity:
            return True
        by_address = self.identity == self.alias or self.identity in self.others
        return by_address or not certain or source in self

    def __contains__(self, hashed: bytes) -> bool:
        """Whether a datagram for this identity, alias or name is for this member."""
        return hashed in (self.identity, self.alias, self.name) or hashed in self.others


class MemberIndex:
    """Members of a roster by what datagrams call them. Of several with one identity, as a pod and its successor on the
    same node, the one that serves counts."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._members: dict[bytes, Member] = {}
        for member in sorted(members, key=_preference):
            ours = WireIdentity.of(member)
            for hashed in (ours.name, *ours.others, ours.alias, ours.identity):
                self._members[hashed] = member

    def find(self, source: bytes, alias: bytes = b"") -> Member | None:
        """The member that a datagram names as its sender, None for a stranger. By its alias is known only one of which
        the roster or the sender itself knows no more than the address: else a member that took over another's address
        would be taken for it."""
        member = self._members.get(source)
        if member is not None:
            return member
        member = self._members.get(alias)
        return member if member is not None and member.node in member.addresses else None


def _preference(member: Member) -> int:
    return 2 * member.expected + (member.state is not State.DELETED)

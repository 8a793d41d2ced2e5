"""Addresses of the views of incidents, nodes and targets."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from kubesonar.model import Member, Notice

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""Characters that stand for themselves in a URL (RFC 3986, section 2.3)."""


class Link(msgspec.Struct, frozen=True):
    """A text and the address that it leads to."""

    text: str
    href: str


def percent_encoded(name: str) -> str:
    """Return a name as one part of a path, percent-encoded (RFC 3986, section 2.1)."""
    return "".join(
        char if char in _UNRESERVED else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        for char in name
    )


def node_href(member: Member) -> str:
    """Return the address of the node of a member; of the member itself where its node is not known."""
    return f"/nodes/{percent_encoded(member.node or member.name)}"


def notice_href(notice: Notice) -> str:
    """Return the address of what a notice is about: an incident or a node; of what is wrong now where it is about
    neither."""
    if notice.incident:
        return f"/incidents/{percent_encoded(notice.incident)}"
    if notice.component in ("member", "node"):
        return f"/nodes/{percent_encoded(notice.node or notice.subject)}"
    return "/now"


def target_href(target: str) -> str:
    """Return the address of a plain target."""
    return f"/targets/{percent_encoded(target)}"


def place_link(word: str, members: Mapping[str, Member], targets: Collection[str]) -> Link | None:
    """Return a link to the node, member or target of that name, None where there is none."""
    if word in members:
        return Link(word, node_href(members[word]))
    if any(member.node == word for member in members.values()):
        return Link(word, f"/nodes/{percent_encoded(word)}")
    return Link(word, target_href(word)) if word in targets else None

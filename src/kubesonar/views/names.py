"""Short names for rows and columns: what differs between the names at hand, and distinct names stay distinct."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from kubesonar.model import LONGEST_NAME, Member, clip

_SEPARATOR = re.compile(r"[-./_:]")
_PIECE = re.compile(r"[^-./_:]*[-./_:]?")

_COUNTED = re.compile(r".*[A-Za-z]0*", re.DOTALL)
"""A beginning after which a number goes on, as "vmss00000" of vmss000001: it may be cut without a separator."""

_HASH = re.compile(r"(?=[a-z]*\d)([0-9a-f]{5,}|[bcdfghjklmnpqrstvwxz2456789]{5,})")
"""A piece that a program made up, with a digit: in hex, or of the letters that Kubernetes uses (k8s.io/apimachinery,
util/rand). Shorter ones may be words."""


class ShortNames(msgspec.Struct, frozen=True):
    """Labels in the order of the names, and the beginning and the end that all names share and no label has."""

    labels: tuple[str, ...]
    before: str = ""
    after: str = ""


def member_labels(members: Sequence[Member]) -> list[str]:
    """Return a label for each member: its node, where no other of `members` is on it, else node and name."""
    nodes = Counter(member.node for member in members)
    return [clip(_called(member, alone=nodes[member.node] == 1), 2 * LONGEST_NAME) for member in members]


def _called(member: Member, *, alone: bool) -> str:
    if not member.node:
        return member.name
    return member.node if alone or member.name.startswith(member.node) else f"{member.node}/{member.name}"


def shortened(names: Sequence[str]) -> ShortNames:
    """Return what differs between `names`, which are distinct, without hashes that are not needed to tell them
    apart."""
    if len(names) < 2:
        return ShortNames(tuple(names))
    before = _shared(names)
    rests = [name[len(before) :] for name in names]
    after = _shared([rest[::-1] for rest in rests])[::-1]
    rests = [rest[: len(rest) - len(after)] for rest in rests]
    return ShortNames(tuple(_counted(without_hashes(rests))), before, after)


def fitted(labels: Sequence[str], width: int) -> tuple[str, ...] | None:
    """Return distinct labels of at most `width` characters, those that are longer cut at their beginning, in their
    middle or at their end; None where no cut keeps them distinct."""
    half = (width - 1) // 2
    cuts: tuple[Callable[[str], str], ...] = (
        lambda label: "…" + label[1 - width :],
        lambda label: f"{label[: width - 1 - half]}…{label[len(label) - half :]}",
        lambda label: label[: width - 1] + "…",
    )
    for cut in cuts if width > 1 else ():
        found = tuple(label if len(label) <= width else cut(label) for label in labels)
        if len(set(found)) == len(set(labels)):
            return found
    return None


def _shared(names: Sequence[str]) -> str:
    """Return the common beginning of all names up to a separator, or to where numbers go on; something of each name is
    left."""
    first, last = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    same = min(same, min(map(len, names)) - 1)
    while same > 0 and not _SEPARATOR.match(first[same - 1]):
        same -= 1
    return first[: max(0, same)]


def without_hashes(names: Sequence[str]) -> list[str]:
    """Return `names` without hashes that are not needed to tell them apart, those on the left first."""
    pieces = [_PIECE.findall(name)[:-1] for name in names]
    place = 0
    while place < max(map(len, pieces), default=0) - 1:
        kept = [own[:place] + own[place + 1 :] if _is_hash(own, place) else own for own in pieces]
        if kept != pieces and len(set(map(tuple, kept))) == len(pieces):
            pieces = kept
        else:
            place += 1
    return ["".join(own) for own in pieces]


def _is_hash(pieces: Sequence[str], place: int) -> bool:
    """Return whether there is a hash at that place, and something else behind it."""
    return place + 1 < len(pieces) and _HASH.fullmatch(pieces[place].rstrip("-./_:")) is not None


def _counted(names: Sequence[str]) -> list[str]:
    """Cut from the last pieces the beginning that all share, where numbers follow it: "vmss000001" becomes "1"."""
    pieces = [_PIECE.findall(name)[:-1] for name in names]
    lasts = [own[-1] for own in pieces]
    same = next((i for i, chars in enumerate(zip(*lasts, strict=False)) if len(set(chars)) > 1), min(map(len, lasts)))
    same = min(same, min(map(len, lasts)) - 1)
    while same > 0 and not _COUNTED.fullmatch(lasts[0][:same]):
        same -= 1
    if not (same > 0 and (lasts[0][same - 1] == "0" or all(last[same].isdigit() for last in lasts))):
        return list(names)
    return ["".join(own[:-1]) + own[-1][same:] for own in pieces]

"""Filters of /api/v1/observations: from a query to the observations that fit it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Self, TypeVar

import msgspec

from kubesonar.core.integers import read_integer
from kubesonar.model import Health, Kind, Observation, Open, Side
from kubesonar.web import BadRequest

DEFAULT_LIMIT = 1000
"""Observations in one reply unless the query says otherwise."""

MAX_LIMIT = 10_000
"""Most observations that a query may ask for, so that a reply stays within some megabytes."""

E = TypeVar("E", bound=Open)


def _names(enum: type[Open]) -> list[str]:
    return [member.value for member in enum if member.name != "OTHER"]


FIELDS: Mapping[str, str] = {
    "kind": "one of " + ", ".join(_names(Kind)),
    "target": "a member's or a target's name",
    "side": "one of " + ", ".join(_names(Side)),
    "health": "one of " + ", ".join(_names(Health)),
    "limit": f"a whole number from 1 to {MAX_LIMIT}",
}
"""Fields of the query, with the values that each may have."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """A filter; a field that is empty or None fits every observation."""

    kind: Kind | None = None
    target: str = ""
    side: Side | None = None
    health: Health | None = None
    limit: int = DEFAULT_LIMIT

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read a query. Raises BadRequest for a value that is not in `FIELDS`."""
        return cls(
            kind=_chosen(Kind, "kind", query),
            target=query.get("target", ""),
            side=_chosen(Side, "side", query),
            health=_chosen(Health, "health", query),
            limit=_limit(query.get("limit", str(DEFAULT_LIMIT))),
        )

    def choose(self, observations: Iterable[Observation]) -> list[Observation]:
        """Return the observations that fit, at most `limit` of them, in their order."""
        return list(islice(filter(self._fits, observations), self.limit))

    def _fits(self, observation: Observation) -> bool:
        return (
            self.kind in (None, observation.check.kind)
            and self.target in ("", observation.check.target)
            and self.side in (None, observation.side)
            and self.health in (None, observation.health)
        )


def _chosen(enum: type[E], field: str, query: Mapping[str, str]) -> E | None:
    if field not in query:
        return None
    if query[field] not in _names(enum):
        raise _bad(field, query[field])
    return enum(query[field])


def _limit(text: str) -> int:
    limit = read_integer(text, 1, MAX_LIMIT)
    if limit is None:
        raise _bad("limit", text)
    return limit


def _bad(field: str, given: str) -> BadRequest:
    return BadRequest(f'query field {field} is "{given[:40]}", expected {FIELDS[field]}')

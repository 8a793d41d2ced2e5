"""The latest report of each agent, in the store."""

from __future__ import annotations

import logging

from kubesonar.compat.go_json import go_compact_json
from kubesonar.compat.netchecker.server.metrics import AGENTS_LIMIT
from kubesonar.compat.netchecker.spec import AgentSpec, decode_spec
from kubesonar.core.decoding import Undecodable
from kubesonar.net.clock import Clock
from kubesonar.stores.store import Delete, Put, StoreRefused
from kubesonar.stores.write_behind import WriteBehind

_LOG = logging.getLogger("kubesonar.netchecker")
_KIND = "agents"
_COUNTERS = "counters."


class AgentRecords:
    """Keeps records by the agents' names, for `time_to_live` seconds each (None: until they are dropped), of at most
    `most` agents that reported here."""

    def __init__(self, store: WriteBehind, clock: Clock, time_to_live: float | None, most: int = AGENTS_LIMIT) -> None:
        self._store = store
        self._clock = clock
        self._time_to_live = time_to_live
        self._most = most
        self._received: dict[str, tuple[str, float]] = {}

    @property
    def trouble(self) -> str:
        """The reason why the records could not be read from the store, a clause; empty where they could."""
        return self._store.unread

    def keep(self, name: str, spec: AgentSpec) -> None:
        """Keep the record under this name; one that no store takes, or one of too many, is logged and passed over, as
        the original did where its store refused."""
        if name not in self._received and len(self._received) >= self._most:
            _LOG.warning("a report is not kept: there are records of %d agents, expected no more", self._most)
            return
        try:
            self._store.write([Put(_KIND, name, go_compact_json(spec), self._time_to_live)])
        except StoreRefused as error:
            _LOG.warning("a report is not kept: %s", error)
            return
        self._received[name] = spec.last_updated, self._clock.mono()

    def drop(self, name: str) -> None:
        """Remove the record of an agent that is gone."""
        self._store.write([Delete(_KIND, name)])
        self._received.pop(name, None)

    async def all(self) -> dict[str, AgentSpec]:
        """Return the live records in the order of their names. One that somebody else wrote and that is none is passed
        over."""
        found: dict[str, AgentSpec] = {}
        for name, value in sorted((await self._store.read(_KIND)).items()):
            try:
                if not name.startswith(_COUNTERS):
                    found[name] = decode_spec(value).in_order()
            except Undecodable as error:
                _LOG.warning("the record of %s is none: %s", name, error)
        self._received = {name: seen for name, seen in self._received.items() if name in found}
        return found

    def age(self, name: str, spec: AgentSpec) -> float:
        """Return the seconds since the report: by this process's own clock, which no step of the wall's clock moves,
        where it took the report itself."""
        stamp, at = self._received.get(name, ("", 0.0))
        return self._clock.mono() - at if stamp == spec.last_updated else self._clock.wall() - spec.updated

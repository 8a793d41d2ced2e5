"""One replica: what it remembers of incidents and notices, alone or with others, and whether it decides on them."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

from kubesonar.apps.collector.election_choice import collector_election
from kubesonar.apps.collector.keeping import IncidentKeeper
from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.apps.collector.replicas.follower import Follower
from kubesonar.apps.collector.replicas.journal import Journal
from kubesonar.apps.collector.replicas.leadership import ReplicaLeadership
from kubesonar.apps.collector.replicas.peers import ReplicaPeers
from kubesonar.apps.collector.replicas.succession import CoordinatorSuccession
from kubesonar.apps.collector.replicas.wire import COPY_PATH, REPLICA_PATH, Position, Records
from kubesonar.apps.collector.store_choice import collector_store
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook
from kubesonar.net.clock import Clock
from kubesonar.runtime.supervise import Supervisor
from kubesonar.stores.write_behind import WriteBehind
from kubesonar.web import BearerToken, Route

_SETTLE = 2.0
"""Seconds that records that wait for the store have at the end."""


class Replica:
    """Holds the incidents of `log` and the notices of `book` in the store of the options, and on the other replicas. To
    be made on the running loop; `start` it, and `closing` closes it. Raises ConfigError where the store, the election
    or the token of replicas cannot be used."""

    def __init__(
        self,
        options: CollectorOptions,
        log: IncidentLog,
        environ: Mapping[str, str],
        clock: Clock,
        closing: AsyncExitStack,
        succession: Callable[[NoticeBook], CoordinatorSuccession] | None = None,
    ) -> None:
        self.name = options.replicas.name or socket.gethostname()
        self.book = NoticeBook()
        self.succession = succession(self.book) if succession is not None else None
        self._log = log
        self._clock = clock
        self._shared = options.store.kind.shared
        self._several = bool(options.replicas.peers)
        self._deciding = False
        self._loaded = False
        life = f"{self.name}_{secrets.token_hex(4)}"  # a process that is started again is another candidate
        self._leadership = ReplicaLeadership(life, clock, self._promised)
        store = collector_store(options.store, environ, clock)
        closing.push_async_callback(store.close)
        self._election, fenced = collector_election(
            options, store, life, self._leadership.follows, environ, clock, closing
        )
        closing.push_async_callback(self._election.release)
        self._writer = WriteBehind(fenced, clock, random.Random(), keep=0.0)
        self._keeper = IncidentKeeper(self._writer, options.store.retention)
        self._journal = Journal(life, log, self.book, self._write, shared=self._shared)
        self._peers: ReplicaPeers | None = None
        self.routes: dict[str, Route] = {}
        """The routes that the other replicas ask for, by path."""
        if self._several:
            self._peers = ReplicaPeers(options.replicas, self._journal, self._leadership, clock)
            closing.callback(self._peers.close)
            follower = Follower(
                self._journal,
                self._leadership,
                BearerToken(options.replicas.token_file),
                self._writer.settle,
                clock,
            )
            self.routes = {
                REPLICA_PATH: Route(follower.take, "what the leading replica keeps", open=True, method="POST"),
                COPY_PATH: Route(follower.give, "what this replica holds", open=True),
            }

    def start(
        self, supervisor: Supervisor, closing: AsyncExitStack, duty: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Load what was remembered, take part in the election, run `duty` while this replica decides, and write what is
        kept, until `closing` has waited for what is not yet written and `supervisor` is stopped."""
        self._duty = duty
        closing.push_async_callback(self._writer.settle, _SETTLE)
        supervisor.run_forever("store", self._writer.run)
        supervisor.run_forever("leadership", self._take_part)
        if self._peers is not None:
            supervisor.run_forever("replicas", self._peers.run)

    def decides(self) -> bool:
        """Return whether this replica leads at this moment, and has taken over what was before."""
        return self._deciding and self._leadership.leads()

    @property
    def leader(self) -> str:
        """The name of the replica that leads, empty where none is known."""
        return self._leadership.leader.rpartition("_")[0]

    def keep(self, records: Records) -> None:
        """Keep what this replica has decided; nothing where it does not decide."""
        if records and self.decides():
            self._journal.append(records)
            if self._peers is not None:
                self._peers.wake()

    async def settled(self, patience: float) -> None:
        """Wait until what is kept is durable, at most `patience` seconds: the store holds it, and every replica that
        answers, or every agent that reports to a coordinator."""
        if self.succession is not None:
            await self.succession.settled(patience)
        others = self._peers.settled(patience) if self._peers is not None else asyncio.sleep(0)
        await asyncio.gather(self._writer.settle(patience), others)

    @property
    def trouble(self) -> str:
        """The reason why incidents are not durable now, empty while they are: also in the moment that a write takes."""
        trouble = self._keeper.trouble
        if not trouble and self._peers is not None and not self._shared and self._deciding:
            trouble = self._peers.trouble
        return trouble

    @property
    def lacks(self) -> str:
        """The reason why this replica could not go on in place of the others, empty where it could: it has no copy yet
        of what they hold in stores of their own."""
        lacks = self._several and not self._shared and self._journal.whole
        return "this replica does not hold yet what the others do" if lacks else ""

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return self._keeper.waiting

    @property
    def dropped(self) -> int:
        """Records that will never be durable."""
        return self._keeper.dropped

    def _promised(self, since: float) -> bool:
        return self._peers is not None and self._peers.promised(since)

    def _write(self, new: Records, gone: tuple[Collection[str], Collection[str]], position: Position) -> None:
        self._keeper.keep(new, gone, position if self._several and not self._shared else None)

    async def _take_part(self) -> None:
        """Load, then lead whenever this replica is elected. Never returns."""
        if not self._loaded:
            records = await self._keeper.load()
            if not self._log.records:
                self._log.follow(records.incidents, self._clock.wall())
                self.book.take(records.notices)
                position = await self._keeper.position()
                self._journal.loaded(position)
                # A Lease that somebody deleted counts from 1 again: what is kept now would then be less than before.
                self._leadership.known(position.term)
            self._loaded = True
        async with asyncio.TaskGroup() as group:
            group.create_task(self._election.run())
            group.create_task(self._leadership.run(self._election, self._lead))

    async def _lead(self, term: int) -> None:
        """Go on where the leader before ended, and decide until cancelled."""
        if self._shared:
            records = await self._keeper.load()
            self.book.take(records.notices)
            self._log.resume(records.incidents, self._clock.wall())
        else:
            if self._peers is not None:
                for page in await self._peers.copy(self._journal.position):
                    self._journal.take(page, self._clock.wall())
            self._log.resume(list(self._log.records.values()), self._clock.wall())
        self._journal.begin(term)
        self._deciding = True
        try:
            await self._duty()
        finally:
            self._deciding = False
            if self._shared:
                self._writer.abandon()

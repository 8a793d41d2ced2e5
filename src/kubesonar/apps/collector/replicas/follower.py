"""The followers' side: takes what the leader pushes, and gives a copy to who is about to lead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import islice

from kubesonar.apps.collector.replicas.journal import Journal
from kubesonar.apps.collector.replicas.leadership import ReplicaLeadership
from kubesonar.apps.collector.replicas.wire import REPLICA_SCHEMA, Held, Push, decode_push
from kubesonar.core.decoding import Undecodable, convert_plain
from kubesonar.core.encoding import encode_json
from kubesonar.net.clock import Clock
from kubesonar.web import Authenticator, BadRequest, Reply, Request, error_reply, unauthorized_reply

_DURABLE = 2.0
"""Seconds that the own store has for what was pushed. Longer, and the leader counts this replica as away meanwhile;
shorter, and a busy disk makes it so."""


_PAGES = 1 << 20
"""More pages than any copy has."""


class Follower:
    """The handlers of `wire.REPLICA_PATH` and `wire.COPY_PATH`. `settle` waits at most so many seconds until the own
    store holds what was taken, and returns whether it does."""

    def __init__(
        self,
        journal: Journal,
        leadership: ReplicaLeadership,
        authenticator: Authenticator,
        settle: Callable[[float], Awaitable[bool]],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._leadership = leadership
        self._authenticator = authenticator
        self._settle = settle
        self._clock = clock

    async def take(self, request: Request) -> Reply:
        """Return up to where this replica holds what the leader pushed, once its store does; 401 for whom is not
        believed, 400 for what is no push, 409 for one of an earlier leader, 503 while the store does not keep it."""
        if not await self._authenticator.permits(request):
            return unauthorized_reply()
        push = decode_push(request.body)
        if isinstance(push, str):
            return error_reply(400, push)
        if push.replica == self._leadership.name:
            return self._held()  # the sender itself, by which it learns that this address is its own
        if not self._leadership.heard(push.replica, push.position.term):
            return self._held(refused=True)
        self._journal.take(push, self._clock.wall())
        if not await self._settle(_DURABLE):
            return error_reply(503, "the store of this replica does not keep what was pushed")
        return self._held()

    async def give(self, request: Request) -> Reply:
        """Return one page of the copy of everything that is held, as a push."""
        if not await self._authenticator.permits(request):
            return unauthorized_reply()
        text = request.query({"page": "a whole number"}).get("page", "0")
        try:
            number = convert_plain(text, int, strict=False)
        except Undecodable:
            raise BadRequest(f'query field page is "{text[:40]}", expected a whole number') from None
        first = min(max(0, number), _PAGES)
        found: Push | None = next(islice(self._journal.copy(), first, None), None)
        return Reply(encode_json(found)) if found else error_reply(404, "the copy has fewer pages")

    def _held(self, *, refused: bool = False) -> Reply:
        journal, leadership = self._journal, self._leadership
        held = Held(REPLICA_SCHEMA, leadership.name, journal.position, leadership.term, refused, journal.whole)
        return Reply(encode_json(held), status=409 if refused else 200)

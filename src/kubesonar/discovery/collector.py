"""Members and Services from a collector, which watches the cluster for all agents: they need no right to ask its API
server, and go on with the last list while no collector answers. Who never had a list takes DNS until one does."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kubesonar.core.probing.cluster_document import CLUSTER_PATH, ClusterDocument, decode_cluster, entity_tag
from kubesonar.discovery.options import CollectorAccess
from kubesonar.model import Roster, clip
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import CLOSE, USER_AGENT, HttpRequest
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import parse_url
from kubesonar.net.watched_file import read_file, reason_of

if TYPE_CHECKING:
    from kubesonar.discovery.dns import DnsRoster

_WAIT = 25.0
"""Seconds that the collector is asked to wait for a change. Longer, and one that is gone is noticed later; shorter, and
each agent asks more often for nothing."""

_TIMEOUT = 10.0
"""Seconds beyond that for the answer. Fewer, and a large list on a slow way is never read."""

_LIMIT = 64 << 20
"""Largest list (bytes): 10,000 members take 3 MiB. Less, and a large cluster is not known."""

_BYTES_PER_SECOND = 20e6
"""Bytes of lists that all agents together fetch in a second, where members change all the time. More, and a rollout of
10,000 agents burdens the collector and its network; fewer, and changes are known later."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds before it is asked again after a failure, doubled up to the second, less a random share. Shorter, and one
that is overloaded is pressed; longer, and members are known late."""

_WITHOUT_LIST = 10.0
"""Seconds without any list before members come from DNS. Longer, and an agent knows nobody for as long; shorter, and
where agents and collectors start together members are called by their addresses first, and by their names then."""

_FILE = "cluster.json"

_LOG = logging.getLogger("kubesonar.discovery")


class CollectorRoster:
    """Asks collectors for ever. `changed` is called with each roster that differs, `services` before it with the
    document. With a `directory` the last list outlives this process. Where no collector has given a list for
    `without_list` seconds and none was kept, `dns` tells members to the same `changed` until one does; None: nobody is
    known until then. `close` it."""

    def __init__(
        self,
        access: CollectorAccess,
        directory: str,
        changed: Callable[[Roster], None],
        services: Callable[[ClusterDocument], None],
        *,
        clock: Clock,
        rng: random.Random,
        dns: DnsRoster | None = None,
        without_list: float = _WITHOUT_LIST,
    ) -> None:
        self._access = access
        self._file = Path(directory) / _FILE if directory else None
        self._changed = changed
        self._services = services
        self._clock = clock
        self._rng = rng
        self._client = HttpClient()
        self._contexts = CaContexts()
        self._body = b""
        self._told_stale = ""
        self._roster = Roster("", ())
        self._dns = dns
        self._dns_from = clock.mono() + without_list
        self._by_dns: asyncio.Task[None] | None = None

    @property
    def source(self) -> str:
        """The source from which members come now: collector or dns."""
        return "dns" if self._by_dns is not None else "collector"

    async def watch(self) -> None:
        """Ask for ever; the list of an earlier process stands until the first answer."""
        self._by_dns = None
        self._remember()
        async with asyncio.TaskGroup() as group:
            await self._ask_for_ever(group)

    async def _ask_for_ever(self, group: asyncio.TaskGroup) -> None:
        failures = 0
        while True:
            reason = await self._ask_any()
            if reason:
                failures += 1
                self._do_without(group, reason)
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
            else:
                failures = 0
                pause = len(self._roster.members) * len(self._body) / _BYTES_PER_SECOND
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))

    def _do_without(self, group: asyncio.TaskGroup, reason: str) -> None:
        """Go on with the last list, which is stale now; without one with members from DNS, after a while."""
        if self._by_dns is not None:
            return
        if self._roster.members or self._dns is None or self._clock.mono() < self._dns_from:
            self._publish(msgspec.structs.replace(self._roster, stale=clip(f"collector: {reason}")))
        else:
            _LOG.warning("members come from DNS until a collector answers", extra={"reason": reason})
            self._by_dns = group.create_task(self._dns.watch(f"no collector has answered: {reason}"))

    def close(self) -> None:
        """Close what is open to a collector."""
        self._client.close()

    async def _ask_any(self) -> str:
        """Return why no collector has answered, empty where one has."""
        reason = "none is configured (reports.to)"
        for url in self._access.urls:
            reason = await self._ask(url.rstrip("/"))
            if not reason:
                break
        return reason

    async def _ask(self, base: str) -> str:
        try:
            wait = _WAIT if self._known else 0.0
            url = parse_url(f"{base}{CLUSTER_PATH}?wait={wait:.0f}")
            headers = [USER_AGENT, CLOSE, *self._proof()]
            if self._known:
                headers.append(("if-none-match", entity_tag(self._body)))
            request = HttpRequest.make("GET", url, tuple(headers))
            context = self._contexts.context(self._access.ca_file) if url.secure else None
            with Deadline(wait + _TIMEOUT, self._clock) as deadline:
                response = await self._client.request(
                    Origin.of(url, context), request, deadline, ResponseLimits(body=_LIMIT)
                )
        except Failed as failed:
            return failed.detail
        except (OSError, ValueError) as error:
            return f"reports.token_file: {reason_of(error)}"
        if response.fault is not None:
            return response.detail or response.fault.value
        if response.status == 304:
            self._publish(msgspec.structs.replace(self._roster, stale=self._told_stale))
            return ""
        if response.status != 200 or not response.complete:
            return f"HTTP status {response.status}: {clip(response.body.decode('utf-8', 'replace'), 120)}"
        return self._take(response.body)

    def _proof(self) -> Sequence[tuple[str, str]]:
        """Return the header that shows the token. Raises OSError or ValueError."""
        if not self._access.token_file:
            return ()
        words = read_file(self._access.token_file, 32_768).split()
        if not words or not words[0].isascii():
            raise ValueError("it holds no token")
        return (("authorization", f"Bearer {words[0].decode('ascii')}"),)

    @property
    def _known(self) -> bool:
        return bool(self._body)

    def _take(self, body: bytes) -> str:
        document = decode_cluster(body)
        if isinstance(document, str):
            return document
        self._body, self._told_stale = body, document.roster.stale
        self._keep(body)
        if self._by_dns is not None:
            self._by_dns.cancel()
            self._by_dns = None
            _LOG.info("members come from a collector")
        self._services(document)
        self._publish(document.roster)
        return ""

    def _publish(self, roster: Roster) -> None:
        if roster != self._roster:
            self._roster = roster
            self._changed(roster)

    def _keep(self, body: bytes) -> None:
        """Write the list down; without room for it this agent goes on."""
        if self._file is None:
            return
        draft = f"{self._file}.new"
        try:
            with open(draft, "wb") as file:  # noqa: PTH123
                file.write(body)
            os.replace(draft, self._file)  # noqa: PTH105
        except OSError:
            return

    def _remember(self) -> None:
        """Begin with the list of an earlier process, which is stale until a collector answers."""
        if self._file is None:
            return
        try:
            body = read_file(str(self._file), _LIMIT)
        except (OSError, ValueError):
            return
        document = decode_cluster(body)
        if isinstance(document, ClusterDocument):
            self._services(document)
            self._publish(msgspec.structs.replace(document.roster, stale="collector: none has answered yet"))

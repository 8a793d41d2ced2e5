"""Sends an agent's reports to every collector: one at a time to each, again until it is received, patiently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.telemetry.reports.held_records import HeldRecords
from kubesonar.core.telemetry.reports.outgoing import Outgoing, ReportLog
from kubesonar.core.telemetry.reports.report import MOST_KEPT, Receipt, decode_receipt
from kubesonar.model import Fault, Snapshot, clip
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import USER_AGENT, HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import Url, parse_url
from kubesonar.net.ticks import Ticks
from kubesonar.net.watched_file import reason_of, token_file
from kubesonar.reports.addresses import CollectorAddresses, CollectorKey
from kubesonar.reports.options import ReportOptions
from kubesonar.runtime.logs import Changes

if TYPE_CHECKING:
    from random import Random

    from kubesonar.reports.coordinator_target import CoordinatorTarget

_LOG = logging.getLogger("kubesonar.reports")

FIRST_INTERVAL = 2.0
"""Seconds between two reports until a collector says otherwise."""

_URGENT = 0.1
"""Seconds for which other bad trials are waited for before a bad one is reported. Longer, and a fault is told later;
shorter, and one fault makes many reports."""

_LEAST = 0.5
"""Least seconds between two reports. Shorter, and an agent around which everything breaks floods the collector."""

_LONGEST = 30.0
"""Longest pause after failures (s). Longer, and a collector that is back is blind for as long; shorter, and many agents
press upon one that is overloaded."""

_BIG = 1200
"""Bytes from which on a report may be too big for the way: each packet of a smaller one fits any MTU."""

_PADDED = 16_384
"""Bytes of a report that checks the way: its packets are as large as any link lets pass. Fewer, and a link of 9,000
bytes is not filled; more, and a minute's check costs more than the reports."""

_PAD_PERIOD = 60.0
"""Seconds between two reports that are as large. Longer, and a way that passes small packets only is found late where
reports are small; shorter, and it costs more."""

_ANSWER = 4 * MOST_KEPT
"""Largest answer (bytes): a receipt with all that may be held for the next coordinator, of four bytes a character."""


class Sent(msgspec.Struct, frozen=True):
    """The outcome of one report: the `receipt`, or the `failure` in a clause. `stuck` is its size (bytes) where it
    waited in vain for an answer and may be too big for the way, else 0."""

    failure: str = ""
    stuck: int = 0
    receipt: Receipt | None = None


class ReportSender:
    """The reports of one agent to all its collectors. `head` returns the agent's snapshot without edges, `changes` logs
    what becomes of each collector. With a `coordinator` they go there, in place of `options.to`. To be made on the
    running loop; `run` it for ever, and `close` it."""

    def __init__(
        self,
        options: ReportOptions,
        ledger: Ledger,
        head: Callable[[], Snapshot],
        clock: Clock,
        rng: Random,
        coordinator: CoordinatorTarget | None = None,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._head = head
        self._clock = clock
        self._rng = rng
        self._log = ReportLog(ledger, self._urgent)
        self._contexts = CaContexts()
        self._held = HeldRecords()
        self._coordinator = coordinator
        self._addresses = coordinator or CollectorAddresses(options.to, options.timeout, clock, _LOG)
        self._token = token_file(options.token_file) if options.token_file else None
        self._links: dict[CollectorKey, _Link] = {}
        self.changes = Changes(_LOG)
        self._lost = 0

    @property
    def dropped(self) -> int:
        """Trials that the ledger forgot before a collector had them."""
        return self._lost + sum(link.outgoing.dropped for link in self._links.values())

    @property
    def answered(self) -> bool:
        """Whether a collector took this agent's last report."""
        return any(link.answered for link in self._links.values())

    async def run(self) -> None:
        """Report until cancelled, to whatever addresses the collectors' names have."""
        async with asyncio.TaskGroup() as group:
            tasks: dict[CollectorKey, asyncio.Task[None]] = {}
            while True:
                wanted = await self._addresses.look_up()
                for gone in tasks.keys() - wanted.keys():
                    tasks.pop(gone).cancel()
                    self._lost += self._links.pop(gone).outgoing.dropped
                for key, url in wanted.items():
                    if key not in tasks:
                        link = self._links[key] = _Link(url, key[1], self)
                        tasks[key] = group.create_task(link.run())
                await asyncio.sleep(self._addresses.period)

    def close(self) -> None:
        """Give the resolver back; to be called once `run` has ended."""
        self._addresses.close()

    def outgoing(self) -> Outgoing:
        """Return the reports of one more collector."""
        return Outgoing(self._ledger, self._log, self._held)

    async def send(
        self, connection: HttpConnection, url: Url, outgoing: Outgoing, withheld: int, *, padded: bool
    ) -> Sent:
        """Send one report over `connection`; it leaves out all edges where one of `withheld` bytes did not get
        through. A `padded` one ends in blanks, which JSON allows, so that it is as large as the way has to pass."""
        body = encode_json(outgoing.report(self._head(), FIRST_INTERVAL, withheld))
        if padded and not withheld:
            body = body.ljust(_PADDED)
        try:
            request = HttpRequest.make("POST", url, self._headers(url.target, body), body)
        except (OSError, ValueError) as error:
            return Sent(f"reports.token_file: {reason_of(error)}")
        with Deadline(self._options.timeout, self._clock) as deadline:
            response = await connection.request(request, deadline, ResponseLimits(body=_ANSWER))
        return _sent(response, len(body))

    async def post(self, path: str, body: bytes) -> Response | None:
        """Post to all collectors that are known now, and return the first response of status 200, None where there is
        none."""

        async def posted(text: str, address: str) -> Response | None:
            url = parse_url(text.rstrip("/") + path)
            try:
                connection = self.connection(url, address)
                request = HttpRequest.make("POST", url, self._headers(url.target, body), body)
            except (Failed, OSError, ValueError):
                return None  # reports, which go the same way, log why
            try:
                with Deadline(self._options.timeout, self._clock) as deadline:
                    return await connection.request(request, deadline, ResponseLimits(body=_ANSWER))
            finally:
                connection.close()

        tasks = [asyncio.create_task(posted(*key)) for key in self._links]
        try:
            for done in asyncio.as_completed(tasks):
                response = await done
                if response is not None and response.status == 200:
                    return response
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return None

    def connection(self, url: Url, address: str) -> HttpConnection:
        """Return a connection to one collector. Raises Failed where the CA certificates cannot be used."""
        context = self._contexts.context(self._options.ca_file) if url.secure else None
        return HttpConnection(Origin.of(url, context), [address], keep=True)

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row: exponential, with full jitter."""
        return _LEAST + self._rng.uniform(0.0, min(_LONGEST, 2.0 ** min(failures, 16)))

    def now(self) -> float:
        """Return the monotonic time (s)."""
        return self._clock.mono()

    def share(self) -> float:
        """Return a random share, so that agents that begin together do not report together."""
        return self._rng.random()

    def _headers(self, path: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """Return the headers of a post. Raises OSError and ValueError where there is no token."""
        headers = (USER_AGENT, ("Content-Type", "application/json"))
        if self._coordinator is not None:
            return (*headers, *self._coordinator.headers(path, body))
        return headers if self._token is None else (*headers, ("Authorization", f"Bearer {self._token.get()}"))

    def _urgent(self) -> None:
        for link in self._links.values():
            link.urgent.set()


class _Link:
    """The reports to one collector. `urgent` is set when the next one should not wait; `answered` tells whether the
    last one was received."""

    def __init__(self, url: Url, address: str, sender: ReportSender) -> None:
        self.urgent = asyncio.Event()
        self.answered = False
        self.outgoing = sender.outgoing()
        self._url = url
        self._address = address
        self._sender = sender

    async def run(self) -> None:
        """Report until cancelled."""
        sender = self._sender
        connection = sender.connection(self._url, self._address)
        failures, withheld, interval = 0, 0, FIRST_INTERVAL
        large = float("-inf")
        pause = sender.share() * interval
        try:
            while True:
                await self._wait(pause)
                padded = sender.now() - large >= _PAD_PERIOD
                sent = await sender.send(connection, self._url, self.outgoing, withheld, padded=padded)
                self.answered = sent.receipt is not None
                sender.changes.note(f"collector {self._address}", sent.failure)
                if sent.receipt is None:
                    failures += 1
                    withheld, pause = sent.stuck, sender.pause(failures)
                    continue
                connection.answer_in_ticks()  # the next receipts: nothing waits for them but the next report
                at_once = self.outgoing.received(sent.receipt)
                if padded and not withheld:
                    large = sender.now()
                failures, withheld, interval = 0, 0, sent.receipt.interval
                pause = 0.0 if at_once else interval
        finally:
            connection.close()

    async def _wait(self, pause: float) -> None:
        """Wait so many seconds, until a tick, or less where there is something urgent."""
        if not self.answered or not pause:
            await asyncio.sleep(pause)
            return
        began = self._sender.now()
        timer = Ticks.of(asyncio.get_running_loop()).at(began + pause, lambda _: self.urgent.set())
        try:
            await self.urgent.wait()
        finally:
            timer.cancel()
        waited = self._sender.now() - began
        if waited < pause:
            await asyncio.sleep(min(max(_URGENT, _LEAST - waited), pause - waited))
        self.urgent.clear()


def _sent(response: Response, size: int) -> Sent:
    if response.fault is not None:
        waited = response.fault is Fault.TIMEOUT and size > _BIG and bool(response.phases)
        return Sent(response.detail or response.fault.value, size if waited else 0)
    if response.status != 200:
        return Sent(f"HTTP status {response.status}: {clip(response.body.decode('utf-8', 'replace'), 160)}")
    receipt = decode_receipt(response.body)
    return Sent(receipt) if isinstance(receipt, str) else Sent(receipt=receipt)

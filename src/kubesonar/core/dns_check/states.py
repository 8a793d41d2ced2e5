"""Judges each server, by each transport, by the questions of the cluster's own names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum, auto

import msgspec

from kubesonar.core.dns_check.questions import AskedServer, AskPurpose
from kubesonar.core.dns_check.results import DnsOutcome, DnsResult

OWN_NAMES = frozenset({AskPurpose.CLUSTER, AskPurpose.MADE_UP})
"""Purposes of the questions that a DNS pod answers from its memory, without another server."""

_LISTED = 4
"""Most names in one sentence."""


class TransportCondition(Enum):
    """The condition of a server by one transport: not asked, well, silent, answering from a wrong address, answering
    wrongly, or answering some questions only."""

    NOT_ASKED = auto()
    WELL = auto()
    SILENT = auto()
    STRAY = auto()
    WRONG = auto()
    PARTLY = auto()


class TransportState(msgspec.Struct, frozen=True):
    """The condition of a server by UDP or by TCP; `fault` is the outcome that made it so, `detail` says more."""

    condition: TransportCondition
    fault: str = ""
    detail: str = ""


class ServerState(msgspec.Struct, frozen=True):
    """The state of one server."""

    server: AskedServer
    udp: TransportState
    tcp: TransportState
    closed: bool

    @property
    def known(self) -> bool:
        """Whether any question says something of the server."""
        return any(state.condition is not TransportCondition.NOT_ASKED for state in (self.udp, self.tcp))

    @property
    def answers(self) -> bool:
        """Whether it answered anything at all, rightly or wrongly."""
        return any(
            state.condition
            in (TransportCondition.WELL, TransportCondition.WRONG, TransportCondition.PARTLY, TransportCondition.STRAY)
            for state in (self.udp, self.tcp)
        )

    def well_by(self, tcp: bool) -> bool:
        """Return whether it is well by that transport."""
        return (self.tcp if tcp else self.udp).condition is TransportCondition.WELL

    def silent_by(self, tcp: bool) -> bool:
        """Return whether nothing came by that transport."""
        return (self.tcp if tcp else self.udp).condition is TransportCondition.SILENT

    @property
    def well(self) -> bool:
        """Whether it is well by every transport by which it was asked."""
        asked = [state for state in (self.udp, self.tcp) if state.condition is not TransportCondition.NOT_ASKED]
        return bool(asked) and all(state.condition is TransportCondition.WELL for state in asked)


def states_of(results: Iterable[DnsResult]) -> list[ServerState]:
    """Return the state of each server, in the order in which they occur."""
    of: dict[AskedServer, list[DnsResult]] = defaultdict(list)
    for result in results:
        if result.ask.purpose in OWN_NAMES and result.outcome is not DnsOutcome.LOCAL:
            of[result.server].append(result)
    return [
        ServerState(
            server,
            _by([one for one in found if not one.ask.tcp]),
            _by([one for one in found if one.ask.tcp]),
            bool(found) and all(one.outcome is DnsOutcome.CLOSED for one in found),
        )
        for server, found in of.items()
    ]


def in_words(names: Sequence[str]) -> str:
    """Return "a, b and 3 more"."""
    shown = [*names[:_LISTED]]
    if len(names) > _LISTED:
        return f"{', '.join(shown)} and {len(names) - _LISTED} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def _by(results: Sequence[DnsResult]) -> TransportState:
    if not results:
        return TransportState(TransportCondition.NOT_ASKED)
    bad = [one for one in results if one.outcome not in (DnsOutcome.GOOD, DnsOutcome.CASE_CHANGED)]
    if not bad:
        return TransportState(TransportCondition.WELL)
    first, silent = bad[0], [one for one in bad if one.outcome.silent]
    if len(silent) == len(results):
        stray = next((one for one in silent if one.outcome is DnsOutcome.WRONG_ADDRESS), None)
        if stray is not None:
            return TransportState(TransportCondition.STRAY, stray.outcome.value, stray.detail)
        return TransportState(TransportCondition.SILENT, first.outcome.value, first.detail)
    if silent and len(bad) == len(silent):
        return TransportState(TransportCondition.PARTLY, first.outcome.value, _what(first))
    wrong = next(one for one in bad if not one.outcome.silent)
    return TransportState(TransportCondition.WRONG, wrong.outcome.value, _what(wrong))


def _what(result: DnsResult) -> str:
    edns = ", with EDNS" if result.ask.payload and not result.ask.tcp else ""
    return f"{result.detail or result.outcome.value.replace('_', ' ')} for {result.ask.name} {result.ask.type}{edns}"

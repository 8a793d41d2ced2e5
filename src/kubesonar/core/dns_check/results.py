"""Results: one for each question, and all of one look."""

from __future__ import annotations

import msgspec

from kubesonar.core.dns_check.questions import AskedServer, DnsAsk
from kubesonar.model import Health, Open, Severity


class DnsOutcome(Open):
    """The outcome of one question. LOCAL is our own trouble and accuses nobody; CLOSED says that the server's host is
    there and nothing listens; ONE_OF_TWO that of a pair one half was answered."""

    GOOD = "good"
    NO_ANSWER = "no_answer"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"
    WRONG_ADDRESS = "wrong_address"
    WRONG_ANSWER = "wrong_answer"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    RCODE = "rcode"
    CASE_CHANGED = "case_changed"
    ONE_OF_TWO = "one_of_two"
    LOCAL = "local"
    OTHER = "other"

    @property
    def silent(self) -> bool:
        """Whether no answer came at all."""
        return self in (DnsOutcome.NO_ANSWER, DnsOutcome.CLOSED, DnsOutcome.UNREACHABLE, DnsOutcome.WRONG_ADDRESS)


class DnsResult(msgspec.Struct, frozen=True):
    """The result of one question to one server. `took` is the time to the answer (s), `tries` how often it was asked,
    `said` the data of the answer's records, at most `SAID` of them, and `detail` tells a person the rest. `reached`:
    something of the server's address came back, a completed handshake without an answer included."""

    server: AskedServer
    ask: DnsAsk
    outcome: DnsOutcome
    took: float = 0.0
    tries: int = 1
    said: tuple[str, ...] = ()
    detail: str = ""
    reached: bool = False

    @property
    def answered(self) -> bool:
        """Whether the server said anything, rightly or wrongly."""
        return not self.outcome.silent and self.outcome not in (DnsOutcome.LOCAL, DnsOutcome.OTHER)


SAID = 8
"""Most records of an answer that are kept: enough for a person, and answers may have thousands."""


class SearchCost(msgspec.Struct, frozen=True):
    """The cost of one look-up by this machine's resolver: its search list and ndots (resolv.conf(5)), and how many
    names it tries for the outside name `name` before the right one answers; each is two questions."""

    name: str
    ndots: int
    search: tuple[str, ...]
    tries: int


class DnsLook(msgspec.Struct, frozen=True, kw_only=True):
    """All of one look at `at` (Unix seconds). `vantage` is the number of the standpoint and `why` the reason for it;
    `untested` says what cannot be seen from there, `unknown` what was not found and why; `inside` is whether it is in
    the cluster, where virtual addresses must be reached."""

    at: float
    vantage: int
    why: str
    results: tuple[DnsResult, ...]
    inside: bool = True
    untested: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    search: SearchCost | None = None


class DnsFinding(msgspec.Struct, frozen=True):
    """A part of DNS that is sick. `part` is "pod", "service", "exposed", "cache", "upstream", "way" or "names", `fault`
    a word for scripts, `sentence` one for people."""

    part: str
    subject: str
    fault: str
    sentence: str
    severity: Severity = Severity.CRITICAL


class DnsVerdict(msgspec.Struct, frozen=True):
    """The verdict of one look: health and its sentence, the findings, and what could not be told."""

    health: Health
    sentence: str
    findings: tuple[DnsFinding, ...] = ()
    unknown: tuple[str, ...] = ()

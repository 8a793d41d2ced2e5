"""The JSON document of `kubesonar dns check --json` and `dns ask --json` (docs/dns.md)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubesonar.core.dns_check.results import DnsFinding, DnsLook, DnsResult, DnsVerdict, SearchCost
from kubesonar.core.encoding import format_json
from kubesonar.model import SCHEMA, Health


class DnsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One look and its verdict. `vantage` is the number of the standpoint and `why` the reason for it."""

    schema: int = SCHEMA
    verdict: Health
    sentence: str
    at: str | None
    vantage: int
    why: str
    findings: tuple[DnsFinding, ...]
    unknown: tuple[str, ...]
    search: SearchCost | None
    results: tuple[DnsResult, ...]


def dns_json(look: DnsLook, verdict: DnsVerdict, stamp: Callable[[float], str | None]) -> bytes:
    """Return the document. `stamp` renders Unix seconds."""
    return format_json(
        DnsAnswer(
            verdict=verdict.health,
            sentence=verdict.sentence,
            at=stamp(look.at),
            vantage=look.vantage,
            why=look.why,
            findings=verdict.findings,
            unknown=verdict.unknown,
            search=look.search,
            results=look.results,
        )
    )

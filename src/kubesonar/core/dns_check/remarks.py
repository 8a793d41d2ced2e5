"""Findings about single kinds of questions, of servers that answer for the cluster's own names: outside names, large
answers, EDNS, letter case, raced pairs, slowness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from kubesonar.core.dns_check.questions import AskedServer, AskPurpose, ServerRole
from kubesonar.core.dns_check.results import DnsFinding, DnsLook, DnsOutcome, DnsResult
from kubesonar.core.dns_check.states import OWN_NAMES, ServerState, in_words
from kubesonar.model import Severity

SLOW_ANSWER = 0.25
"""Seconds from which the median answer about the cluster's own names is slow: CoreDNS has them in memory and needs
under a millisecond. Lower blames the way of far standpoints, higher hides a server that is starved."""

_NEAR = (1, 3)
"""Standpoints inside the cluster: from others the time of an answer is mostly that of the way to the cluster."""

_KINDS = {
    AskPurpose.NAMED: "names that are asked for (--name)",
    AskPurpose.HEADLESS: "headless names",
    AskPurpose.REVERSE: "reverse names",
}
"""Purposes of which a failure is told by itself, and what they are called."""

SEARCH_TRIES = 4
"""Names tried for one outside name from which the search list is worth a remark."""


def remarks(look: DnsLook, states: Sequence[ServerState]) -> Iterator[DnsFinding]:
    """Yield the findings, the gravest kinds first. Of a transport by which a server does not even answer for the
    cluster's own names nothing more is said, nor of virtual addresses while a pod is sick, to which they may have led.
    """
    sick = any(state.server.role is ServerRole.POD and state.known and not state.well for state in states)
    told = [state for state in states if not (sick and state.server.fronts)]
    well_by = {(state.server, tcp) for state in told for tcp in (False, True) if state.well_by(tcp)}
    well = [
        result
        for result in look.results
        if (result.server, result.ask.tcp) in well_by and result.outcome is not DnsOutcome.LOCAL
    ]
    of: dict[AskedServer, list[DnsResult]] = {}
    for result in well:
        of.setdefault(result.server, []).append(result)
    yield from _upstream(look.results, well)
    yield from _pairs(of)
    yield from _large(of)
    if look.vantage in _NEAR:
        yield from _slow(of)
    yield from _again(well)
    yield from _case(well)
    for purpose, words in _KINDS.items():
        yield from _kind(well, purpose, words)
    yield from _search(look)


def _upstream(results: Sequence[DnsResult], well: Sequence[DnsResult]) -> Iterator[DnsFinding]:
    """Outside names: where all servers fail with them, the upstream is at fault; where one does, its own way there."""
    asked = [one for one in well if one.ask.purpose is AskPurpose.OUTSIDE]
    bad = {one.server for one in asked if one.outcome is not DnsOutcome.GOOD}
    good = {one.server for one in asked if one.outcome is DnsOutcome.GOOD} - bad
    if not bad:
        return
    first = next(one for one in asked if one.server in bad and one.outcome is not DnsOutcome.GOOD)
    name, said = first.ask.name, first.detail or first.outcome.value
    above = [one for one in results if one.server.role is ServerRole.UPSTREAM and one.outcome is not DnsOutcome.LOCAL]
    dead = sorted({one.server.name for one in above if one.outcome is not DnsOutcome.GOOD})
    if good:
        names = in_words(sorted(_blamed(bad)))
        sentence = f"{names} cannot resolve {name} ({said}), {in_words(sorted(_blamed(good)))} can: the way from"
        yield DnsFinding("upstream", names, "outside_some", f"{sentence} there to the upstream is sick")
        return
    also = f"; {in_words(dead)} does not answer it from here either" if dead else ""
    if above and not dead:
        also = (
            f"; {in_words(sorted({one.server.name for one in above}))} answers it from here, so their way there is sick"
        )
    yield DnsFinding(
        "upstream",
        in_words(dead) or "upstream",
        "outside",
        f"names of the cluster resolve, {name} does not ({said}): the upstream resolver is at fault, not the cluster's "
        f"DNS{also}",
    )


def _pairs(of: Mapping[AskedServer, Sequence[DnsResult]]) -> Iterator[DnsFinding]:
    """The race for a conntrack entry drops one of two questions from one socket; resolvers ask again after 5 s. Where
    single questions are lost too, the way loses packets of any kind."""
    if any(one.tries > 1 and not one.ask.tcp for results in of.values() for one in results):
        return
    for server, results in of.items():
        pairs = [one for one in results if one.ask.purpose is AskPurpose.PAIR]
        lost = [one for one in pairs if one.outcome is DnsOutcome.ONE_OF_TWO]
        if lost:
            yield DnsFinding(
                "service",
                server.name,
                "pair",
                f"of A and AAAA asked at once through {server.name} one is lost in {len(lost)} of {len(pairs)} pairs: "
                "look-ups take 5 s now and then (the conntrack race)",
                Severity.WARNING,
            )


def _large(of: Mapping[AskedServer, Sequence[DnsResult]]) -> Iterator[DnsFinding]:
    lacking = {
        server: [one for one in results if one.ask.purpose is AskPurpose.LARGE and one.outcome is not DnsOutcome.GOOD]
        for server, results in of.items()
    }
    names = _blamed(server for server, bad in lacking.items() if bad)
    for server, bad in lacking.items():
        if bad and server.name in names:
            ways = dict.fromkeys(
                "by TCP" if one.ask.tcp else "by UDP, in fragments," if one.ask.payload else "by UDP" for one in bad
            )
            yield DnsFinding(
                "way",
                server.name,
                "large",
                f"{server.name} answers small questions, large answers {in_words([*ways])} do not come: "
                f"{bad[0].detail}",
                Severity.WARNING,
            )


def _slow(of: Mapping[AskedServer, Sequence[DnsResult]]) -> Iterator[DnsFinding]:
    took = {
        server: median(times)
        for server, results in of.items()
        if (times := [one.took for one in results if one.outcome is DnsOutcome.GOOD and one.ask.purpose in OWN_NAMES])
    }
    names = _blamed(server for server, time in took.items() if time >= SLOW_ANSWER)
    for server, time in took.items():
        if time >= SLOW_ANSWER and server.name in names:
            yield DnsFinding(
                server.role.value,
                server.name,
                "slow",
                f"{server.name} takes {time * 1000:.0f} ms for names that it has in memory",
                Severity.WARNING,
            )


def _again(well: Sequence[DnsResult]) -> Iterator[DnsFinding]:
    """Questions that were answered only when they were asked again: packets are lost now and then. Those for large
    answers are told apart: a virtual address may have led to a pod whose fragments pass."""
    single = [one for one in well if one.ask.purpose is not AskPurpose.LARGE]
    lost = [one for one in single if one.tries > 1 and one.outcome is DnsOutcome.GOOD]
    if lost:
        names = in_words(_blamed(one.server for one in lost))
        yield DnsFinding(
            "way",
            names,
            "lossy",
            f"{len(lost)} of {len(single)} questions were answered only when asked again, by {names}: packets are lost",
            Severity.WARNING,
        )


def _case(well: Sequence[DnsResult]) -> Iterator[DnsFinding]:
    changed = sorted(_blamed(one.server for one in well if one.outcome is DnsOutcome.CASE_CHANGED))
    if changed:
        yield DnsFinding(
            "names",
            in_words(changed),
            "case",
            f"the case of letters in names is changed by {in_words(changed)}: resolvers that check it (0x20) refuse it",
            Severity.WARNING,
        )


def _kind(well: Sequence[DnsResult], purpose: AskPurpose, words: str) -> Iterator[DnsFinding]:
    bad = [one for one in well if one.ask.purpose is purpose and one.outcome is not DnsOutcome.GOOD]
    if bad:
        names = in_words(_blamed(one.server for one in bad))
        said = bad[0].detail or bad[0].outcome.value.replace("_", " ")
        yield DnsFinding(
            "names", names, purpose.value, f"{words} fail at {names}: {said} for {bad[0].ask.name}", Severity.WARNING
        )


def _blamed(servers: Iterable[AskedServer]) -> list[str]:
    """Return the names of those to blame: not a virtual address where a server behind one shows the same."""
    found = [*dict.fromkeys(servers)]
    return [server.name for server in [one for one in found if not one.fronts] or found]


def _search(look: DnsLook) -> Iterator[DnsFinding]:
    cost = look.search
    if cost is not None and cost.tries >= SEARCH_TRIES:
        yield DnsFinding(
            "names",
            cost.name,
            "search",
            f"a look-up of {cost.name} here asks {2 * cost.tries} questions: ndots is {cost.ndots} and the search list "
            f"has {len(cost.search)} names; a final dot, or a smaller ndots, saves all but 2",
            Severity.INFO,
        )

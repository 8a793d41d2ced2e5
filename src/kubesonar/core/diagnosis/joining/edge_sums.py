"""Reads what one edge says without a look at each of its trials, which costs the same whether it has few or many."""

from __future__ import annotations

from collections.abc import Sequence

from kubesonar.core.address import family_of, is_literal
from kubesonar.core.diagnosis.inference.slow_links import SLOW
from kubesonar.core.diagnosis.inference.trial_model import handshake, stream
from kubesonar.model import CONNECTING, Edge, Observation, Trial

_SIZED = 4
"""Newest trials of big packets among which a slow one is looked for. Fewer, and a link whose rate is not told each time
is not seen; more, and one that is fast again is looked at for longer."""


def lost_any(edge: Edge) -> bool:
    """Return whether any trial of the long window was bad or told nothing."""
    long = edge.long
    return long.failed > 0 or long.unknown > 0 or long.received < long.sent


def sums_lately(edge: Edge, now: float) -> tuple[int, int]:
    """Return what was sent and received in the short window before `now` (Unix seconds of the member): what the window
    says; where it has no sums, as with a collector, what the newest trials say."""
    short, trials = edge.short, edge.trials
    if short.observations or not trials:
        return short.sent, short.received
    sent, received, since = 0, 0, now - short.span
    for trial in reversed(trials):
        at = trial.at
        if at < since:
            break
        if at <= now:
            sent += trial.sent
            received += trial.received
    return sent, received


def saw_slow_link(trials: Sequence[Trial]) -> bool:
    """Return whether any of the newest trials of big packets saw the rate of a slow link."""
    return any(0 < trial.rate < SLOW for trial in trials[-_SIZED:])


def packets_of_connections(edge: Edge) -> int:
    """Return the `packets` of an edge's trials, each a connection to a member: of its handshake what the kernel told,
    which agents of an older version do not hand on."""
    check = edge.latest.check
    trials = edge.trials
    told = check.kind in CONNECTING and trials and (trials[-1].seen or trials[0].seen)
    return handshake(check.timeout) if told else stream(check.timeout)


def sent_syn_again(trials: Sequence[Trial]) -> bool:
    """Return whether any of these handshakes took more than one SYN."""
    return any(trial.seen > 1 for trial in trials)


def observed_family(latest: Observation) -> int:
    """Return the address family that a check goes by; that of its latest observation where it asks a name."""
    address = latest.check.address
    return family_of(address) if is_literal(address) else latest.family

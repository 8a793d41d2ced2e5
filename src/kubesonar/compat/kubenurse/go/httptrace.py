"""Events of an HTTP request, as Go's httptrace names them, from the phases of an observation
(https://pkg.go.dev/net/http/httptrace#ClientTrace)."""

from __future__ import annotations

from kubesonar.core.address import is_literal
from kubesonar.model import Observation, Phase

ROUND_TRIP = "round_trip_error"

_DONE = {
    Phase.DNS: "dns_done",
    Phase.CONNECT: "connect_done",
    Phase.TLS: "tls_handshake_done",
    Phase.WRITE: "wrote_request",
    Phase.FIRST_BYTE: "got_first_resp_byte",
}
_START = {Phase.DNS: "dns_start", Phase.CONNECT: "connect_start", Phase.TLS: "tls_handshake_start"}


def timeline(seen: Observation) -> list[tuple[str, float]]:
    """Return every event, with its seconds since the request began. A phase that failed has a start and no end."""
    events: list[tuple[str, float]] = []
    for span in seen.phases:
        if span.phase in _START:
            events.append((_START[span.phase], span.start))
        if span.phase is Phase.WRITE:
            events.append(("got_conn", span.start))
        if span.phase in _DONE:
            events.append((_DONE[span.phase], span.end))
    failed = _failed_phase(seen)
    if failed in _START and seen.sent:
        events.append((_START[failed], seen.phases[-1].end if seen.phases else 0.0))
    return events


def failure(seen: Observation) -> str:
    """Return the one event by which a failed observation is counted."""
    if seen.code:
        return f"status_code_{seen.code}"
    failed = _failed_phase(seen)
    return ROUND_TRIP if failed is None or not seen.sent else _DONE[failed]


def _failed_phase(seen: Observation) -> Phase | None:
    """Return the phase that a request without a response did not complete; None once it was written."""
    if seen.fault is None or seen.code:
        return None
    expected = _expected(seen)
    done = {span.phase for span in seen.phases}
    last = max((place for place, phase in enumerate(expected) if phase in done), default=-1)
    return expected[last + 1] if last + 1 < len(expected) else None


def _expected(seen: Observation) -> list[Phase]:
    phases = [] if is_literal(seen.check.address) else [Phase.DNS]
    phases.append(Phase.CONNECT)
    if seen.check.request.startswith("https:"):
        phases.append(Phase.TLS)
    return [*phases, Phase.WRITE]

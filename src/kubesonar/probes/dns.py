"""DNS: one question to one server, by UDP or by TCP. These fail apart, so they are separate checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from kubesonar.core.address import is_literal
from kubesonar.core.dns.classify import Judgement, Worth, classify, rcode_name
from kubesonar.core.dns.message import EDNS_PAYLOAD, LARGE_PAYLOAD, Question, Rcode, encode_question
from kubesonar.core.dns.names import encode_name, fresh_name, longest_name
from kubesonar.core.dns.records import RecordType
from kubesonar.model import Check, Fault, Observation, Phase, Span
from kubesonar.net.dns.tcp import ask_tcp
from kubesonar.net.dns.transport import DnsReply, DnsServer
from kubesonar.net.dns.udp import Unanswered, ask_udp
from kubesonar.probes.attempt import Attempt, AttemptOutcome

if TYPE_CHECKING:
    import random

    from kubesonar.net.clock import Clock
    from kubesonar.probes.source import ProbeSource

_PORT = 53
"""Port of a server whose check names none (RFC 1035, section 4.2)."""

_NODATA = "NODATA"
"""Word for NOERROR without a record of the asked type, which is no rcode (RFC 2308, section 2.2)."""


class DnsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """DNS questions, each from a source port of its own."""

    payload: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=4096,
            description="Largest UDP answer to offer by EDNS0, in bytes; 0 asks without EDNS0, as old resolvers do.",
        ),
    ] = EDNS_PAYLOAD
    recursion: Annotated[bool, msgspec.Meta(description="Ask for recursion, as a stub resolver does.")] = True


class DnsRequest(msgspec.Struct, frozen=True):
    """The question of a check. A `name` that begins with "*." gets a new random label each time. `large` asks by UDP
    for an answer of up to `LARGE_PAYLOAD` bytes, which comes in fragments where it is larger than a packet."""

    name: str
    type: int
    tcp: bool
    large: bool = False


def parse_request(text: str) -> DnsRequest:
    """Read "name TYPE" or "name TYPE udp|tcp|large", as "kubernetes.default.svc.cluster.local A" or "*.cluster.local A
    tcp". Raises ValueError."""
    words = text.split()
    if len(words) not in (2, 3) or words[1].upper() not in _TYPES or words[2:] not in _TRANSPORTS:
        known = ", ".join(_TYPES)
        raise ValueError(
            f'a DNS request is "name TYPE" or "name TYPE udp|tcp|large" with a TYPE of {known}, not {text!r}'
        )
    encode_name(longest_name(words[0]))
    return DnsRequest(words[0], RecordType[words[1].upper()], words[2:] == ["tcp"], words[2:] == ["large"])


def parse_answer(text: str) -> str:
    """Read the answer that is well and return it in capitals: an rcode's mnemonic, where NOERROR (empty text too) means
    at least one record of the asked type, or NODATA, NOERROR without one. Raises ValueError."""
    if text.upper() not in ("", *_ANSWERS):
        raise ValueError(f"a DNS check expects one of {', '.join(_ANSWERS)}, not {text!r}")
    return text.upper() or Rcode.NOERROR.name


class DnsProbe:
    """Asks the server at `Check.address` (an IP literal) and `Check.port` (0: 53) the question of `Check.request`
    (`parse_request`) and expects the answer of `Check.expect` (`parse_answer`). The observation's code is the rcode.
    `random` gives ids and labels: pass a `random.SystemRandom`, so that they cannot be guessed. `close` it."""

    def __init__(self, source: ProbeSource, options: DnsOptions, clock: Clock, random: random.Random) -> None:
        self._source = source
        self._options = options
        self._clock = clock
        self._random = random
        self._unanswered = Unanswered()

    async def __call__(self, check: Check) -> Observation:
        """See `Probe`. A check that cannot be asked at all is `Fault.OTHER`, with the reason."""
        attempt = Attempt(check, self._source, self._clock)
        try:
            request, expect = parse_request(check.request), parse_answer(check.expect)
            if not is_literal(check.address):
                raise ValueError(f"a DNS server is an IP address, not {check.address!r}")
        except ValueError as error:
            return attempt.observation(AttemptOutcome(Fault.OTHER, str(error), sent=0))
        server, question = DnsServer(check.address, check.port or _PORT), self._question(request)
        wire = encode_question(question)
        if request.tcp:
            reply = await ask_tcp(server, wire, check.timeout, self._clock)
        else:
            reply = await ask_udp(server, wire, check.timeout, self._clock, self._unanswered)
        attempt.at = reply.at
        judged = classify(question, reply.wire) if reply.wire is not None else None
        return attempt.observation(_outcome(reply, judged, request, expect))

    def close(self) -> None:
        """Close the sockets that wait for late answers."""
        self._unanswered.close()

    def _question(self, request: DnsRequest) -> Question:
        id_ = self._random.getrandbits(16)
        payload = LARGE_PAYLOAD if request.large else self._options.payload
        name = fresh_name(request.name, self._random)
        return Question(name, request.type, id_, self._options.recursion, payload)


def _outcome(reply: DnsReply, judged: Judgement | None, request: DnsRequest, expect: str) -> AttemptOutcome:
    if judged is None:
        fault, detail = reply.fault, reply.detail
    elif request.large:
        fault, detail = _large_verdict(judged, len(reply.wire or b""))
    else:
        fault, detail = _verdict(judged, expect, request.tcp)
    return AttemptOutcome(
        fault,
        "; ".join(filter(None, (detail, *_remarks(reply)))),
        _phases(reply),
        rtt=reply.took - reply.connected if judged else 0.0,
        clock=reply.clock,
        source_port=reply.source_port,
        code=judged.rcode if judged else None,
        received=int(judged is not None),
    )


def _large_verdict(judged: Judgement, size: int) -> tuple[Fault | None, str]:
    """Judge what came of a question for a large answer, which asks only whether one comes: an answer of another kind
    accuses nobody, because the same server is asked the usual question besides. A truncated one is well: the server
    keeps large answers to TCP."""
    if judged.worth is Worth.TRUNCATED:
        return None, f"truncated to {size} bytes: the server gives larger answers by TCP only"
    if judged.worth is not Worth.ANSWERED:
        said = rcode_name(judged.rcode) if judged.rcode is not None else judged.reason
        return Fault.OTHER, f"no large answer, so nothing is known of these: {said}"
    if size <= EDNS_PAYLOAD:
        return Fault.OTHER, f"an answer of {size} bytes, expected a large one, of more than {EDNS_PAYLOAD}"
    return None, ""


def _verdict(judged: Judgement, expect: str, tcp: bool) -> tuple[Fault | None, str]:
    if judged.rcode is None:
        return Fault.WRONG_ANSWER, f"{judged.worth.value.replace('_', ' ')}: {judged.reason}"
    if judged.worth is Worth.TRUNCATED and tcp:
        return Fault.WRONG_ANSWER, "truncated, though it was asked by TCP"
    if judged.worth is Worth.NODATA and expect != _NODATA:
        return Fault.WRONG_ANSWER, f"an empty answer ({_NODATA}) instead of {expect}: {judged.reason}"
    if judged.worth is not Worth.NODATA and (got := rcode_name(judged.rcode)) != expect:
        return Fault.WRONG_ANSWER, f"{got} instead of {expect}"
    return None, judged.reason if judged.worth is Worth.TRUNCATED else ""


def _phases(reply: DnsReply) -> tuple[Span, ...]:
    if not reply.connected:
        return (Span(Phase.FIRST_BYTE, 0.0, reply.took),)
    return Span(Phase.CONNECT, 0.0, reply.connected), Span(Phase.FIRST_BYTE, reply.connected, reply.took)


def _remarks(reply: DnsReply) -> tuple[str, ...]:
    return (
        f"{reply.strays} with a wrong id or from elsewhere passed over" if reply.strays else "",
        f"{reply.late} late to earlier questions" if reply.late else "",
    )


_TYPES = tuple(name for name in RecordType.__members__ if name != "OPT")
_TRANSPORTS: tuple[list[str], ...] = ([], ["udp"], ["tcp"], ["large"])
_ANSWERS = (*Rcode.__members__, _NODATA)

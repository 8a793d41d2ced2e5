"""CPU of a DNS question, encoded and judged: our codec beside dnspython's, in one process, interleaved.

`python bench/dns_codec.py` writes bench/results/dns.md. No network is involved: this is the cost of the bytes alone.
(Not called dns.py, which would hide dnspython's package of that name from a script beside it.)
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import dns.message
import dns.rcode
import dns.version

from kubesonar.core.dns.classify import Worth, classify
from kubesonar.core.dns.message import Question, Rcode, encode_answer, encode_question
from kubesonar.core.dns.records import Record, RecordType

NAME = "kubernetes.default.svc.cluster.local"
ROUNDS, OURS, THEIRS = 9, 4000, 400
RESULT = Path(__file__).with_name("results") / "dns.md"


def ours(records: int) -> Callable[[], None]:
    question = Question(NAME, RecordType.A, 7)
    wire = answer(question, records)

    def once() -> None:
        encode_question(question)
        if classify(question, wire).worth is not Worth.ANSWERED:
            raise SystemExit("the answer was judged wrongly")

    return once


def theirs(records: int) -> Callable[[], None]:
    wire = answer(Question(NAME, RecordType.A, 7), records)

    def once() -> None:
        query = dns.message.make_query(NAME, "A", use_edns=0, payload=1232, id=7)
        query.to_wire()
        reply = dns.message.from_wire(wire)
        if not query.is_response(reply) or reply.rcode() != dns.rcode.NOERROR:
            raise SystemExit("the answer was judged wrongly")

    return once


def answer(question: Question, records: int) -> bytes:
    found = [Record(NAME, RecordType.A, 30, f"10.96.0.{number}") for number in range(records)]
    return encode_answer(question, Rcode.NOERROR, found)


def cost(once: Callable[[], None], times: int) -> float:
    """Microseconds of CPU each."""
    began = time.process_time()
    for _ in range(times):
        once()
    return (time.process_time() - began) / times * 1e6


def rows() -> list[str]:
    table = []
    for records in (1, 8):
        mine, other = ours(records), theirs(records)
        pairs = [(cost(mine, OURS), cost(other, THEIRS)) for _ in range(ROUNDS)]
        us, them = (median(column) for column in zip(*pairs, strict=True))
        table.append(f"| {records} | {us:.1f} | {them:.1f} | {us / them:.3f} |")
    return table


def main() -> None:
    head = [
        "# A DNS question, encoded and its answer judged",
        "",
        f"CPU in microseconds, median of {ROUNDS} interleaved rounds; `python bench/dns_codec.py`. Python"
        f" {platform.python_version()}, dnspython {dns.version.version}, {platform.machine()}. Target: 40.",
        "",
        "| A records in the answer | ours | dnspython | ratio |",
        "|---:|---:|---:|---:|",
    ]
    text = "\n".join([*head, *rows(), ""])
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

import json
import re

import pytest

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.report import (
    REPORT_SCHEMA,
    Receipt,
    Report,
    decode_receipt,
    decode_report,
    digest_of,
)
from kubesonar.model import Member, Roster, Snapshot

ME = Member("me", "node-1", ("10.0.0.1",), 7473)
REPORT = Report(REPORT_SCHEMA, 1, 0, 2.0, "", Snapshot(1, ME, 1.0, 1.0, Roster("", ())))


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(encode_json(REPORT)) | fields).encode()


def head(**fields: object) -> bytes:
    return changed(head=json.loads(encode_json(REPORT.head)) | fields)


def test_a_report_is_read_as_it_was_written() -> None:
    assert decode_report(encode_json(REPORT)) == REPORT


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no report"),
        (b"{", "no report"),
        (b"\xff", "no report"),
        (b"[" * 100_000, "no report"),
        (b"\x1f\x8b\x08\x00", "no report"),
        (changed(schema=2), "schema 2"),
        (changed(schema=2, edges="of another kind"), "schema 2"),
        (head(at=-1), r"\$\.head\.at"),
        (head(at=1e300), r"\$\.head\.at"),
        (head(at="soon"), r"\$\.head\.at"),
        (changed(sequence=-1), r"\$\.sequence"),
        (changed(interval=1e9), r"\$\.interval"),
        (changed(edges=[[1, None, 0]]), r"\$\.edges"),
        (head(keys=[256]), r"\$\.head\.keys"),
        (head(member={"name": "a\nb", "node": "n", "addresses": [], "port": 1}), r"\$\.head\.member"),
        (encode_json(REPORT).replace(b'"at":1.0', b'"at":NaN'), "no report"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence_that_names_the_field(body: bytes, reason: str) -> None:
    found = decode_report(body)
    assert isinstance(found, str)
    assert re.search(reason, found)
    assert "\n" not in found
    assert len(found) < 250


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"schema":1,"sequence":-1,"interval":2}',
        b'{"schema":1,"sequence":1,"interval":0}',
        b'{"schema":9}',
    ],
)
def test_what_is_no_receipt_is_refused(body: bytes) -> None:
    assert isinstance(decode_receipt(body), str)


def test_a_receipt_is_read_as_it_was_written() -> None:
    receipt = Receipt(REPORT_SCHEMA, 7, 2.5, whole=True, roster=True)
    assert decode_receipt(encode_json(receipt)) == receipt


def test_equal_rosters_have_equal_digests_and_others_do_not() -> None:
    assert digest_of(Roster("r", (ME,))) == digest_of(Roster("r", (ME,)))
    assert digest_of(Roster("r", (ME,))) != digest_of(Roster("r", ()))

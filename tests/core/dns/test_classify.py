"""Hostile bytes: never raise, never loop, never cost more than reading them."""

from __future__ import annotations

import struct
from pathlib import Path

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.dns.classify import Worth, classify, rcode_name, type_name
from kubesonar.core.dns.message import Malformed, Question, decode_reply, encode_answer, encode_question
from kubesonar.core.dns.names import BadWire, Reader, encode_name
from kubesonar.core.dns.records import Record, RecordType

CORPUS = sorted((Path(__file__).parents[2] / "corpus" / "dns").glob("*.bin"))
QUESTION = Question("kubernetes.default.svc.cluster.local", RecordType.A, 0x1234)
GOOD = encode_answer(QUESTION, 0, [Record(QUESTION.name, RecordType.A, 5, "10.96.0.1")])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_file_of_the_corpus_is_judged_as_its_name_says(path: Path) -> None:
    """A file is called WORTH-what_it_is.bin."""
    assert classify(QUESTION, path.read_bytes()).worth == path.stem.partition("-")[0]


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) >= 20


@given(st.binary(max_size=600))
def test_any_bytes_are_decoded_or_malformed(wire: bytes) -> None:
    decode_reply(wire)
    classify(QUESTION, wire)
    classify(QUESTION, b"\x12\x34\x80" + wire)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_changed_byte_never_raises(at: int, byte: int) -> None:
    classify(QUESTION, GOOD[:at] + bytes((byte,)) + GOOD[at + 1 :])


@given(st.integers(0, len(GOOD) - 1))
def test_an_answer_cut_short_is_never_taken_for_a_whole_one(length: int) -> None:
    assert classify(QUESTION, GOOD[:length]).worth is Worth.MALFORMED


def test_a_chain_of_pointers_is_followed_without_recursion_and_within_bounds() -> None:
    chain = b"\0\0" + b"".join(struct.pack(">H", 0xC000 | at) for at in range(0, 0x3000, 2))
    assert Reader(chain).name(0x3000)[0] == "."
    wire = struct.pack(">HHHHHH", QUESTION.id, 0x8000, 1, 0xFFFF, 0, 0) + chain * 5
    assert isinstance(decode_reply(wire[:65535]), Malformed)


def test_compression_cannot_multiply_work() -> None:
    """Each name would be walked from another start through a hundred labels; the steps' budget ends it."""
    labels = b"\x01a" * 120 + b"\0"
    names = b"".join(struct.pack(">H", 0xC000 | at) for at in range(0, 200, 2))
    reader = Reader(labels + names)
    with pytest.raises(BadWire, match="more name compression"):
        for at in range(len(labels), len(labels + names), 2):
            reader.name(at)


@pytest.mark.parametrize("name", ["", "a..b", ".a", "ü.de", "x" * 64, ".".join(["abc"] * 64), "a\\", "a\\25", "a\\256"])
def test_what_is_no_domain_name_is_refused_when_it_is_written(name: str) -> None:
    with pytest.raises(ValueError):
        encode_name(name)


@pytest.mark.parametrize(
    ("rcode", "worth"), [(0, Worth.NODATA), (2, Worth.RCODE), (3, Worth.RCODE), (5, Worth.RCODE), (16, Worth.RCODE)]
)
def test_an_rcode_is_told_by_its_number(rcode: int, worth: Worth) -> None:
    judged = classify(QUESTION, encode_answer(QUESTION, rcode))
    assert (judged.worth, judged.rcode) == (worth, rcode)


def cname(owner: str, target: str) -> Record:
    return Record(owner, RecordType.CNAME, 5, target)


ALIAS = cname(QUESTION.name, "a.example")
FAR = Record("B.example", RecordType.A, 5, "192.0.2.1")


@pytest.mark.parametrize(
    ("answers", "worth", "reason"),
    [
        ([], Worth.NODATA, "no A record"),
        ([Record(QUESTION.name, RecordType.AAAA, 5, "fd00::1")], Worth.NODATA, "no A record among 1 of type AAAA"),
        ([Record(QUESTION.name, RecordType.TXT, 5, (b"x",))], Worth.NODATA, "no A record among 1 of type TXT"),
        ([Record("other.example", RecordType.A, 5, "192.0.2.1")], Worth.NODATA, "no A record among 1 of type A"),
        ([Record(QUESTION.name, RecordType.A, 5, "192.0.2.1", klass=3)], Worth.NODATA, "no A record among 1 of type A"),
        ([ALIAS], Worth.NODATA, "no A record among 1 of type CNAME"),
        ([ALIAS, FAR], Worth.NODATA, "no A record among 2 of type CNAME, A"),
        ([ALIAS, cname("a.example", QUESTION.name)], Worth.NODATA, "no A record among 2 of type CNAME"),
        ([ALIAS, cname("A.example", "b.EXAMPLE"), FAR], Worth.ANSWERED, ""),
        ([FAR, cname("a.example", "b.example"), ALIAS], Worth.ANSWERED, ""),
        ([Record(QUESTION.name.upper(), RecordType.A, 5, "192.0.2.1"), FAR], Worth.ANSWERED, ""),
    ],
)
def test_an_answer_is_a_record_of_the_asked_type_at_the_name_or_behind_its_cnames(
    answers: list[Record], worth: Worth, reason: str
) -> None:
    judged = classify(QUESTION, encode_answer(QUESTION, 0, answers))
    assert (judged.worth, judged.rcode, judged.reason) == (worth, 0, reason)


def test_an_asked_cname_is_an_answer_itself() -> None:
    asked = Question(QUESTION.name, RecordType.CNAME, QUESTION.id)
    assert classify(asked, encode_answer(asked, 0, [ALIAS])).worth is Worth.ANSWERED


def test_authority_and_additional_records_are_no_answer() -> None:
    soa = Record("cluster.local", RecordType.NS, 5, QUESTION.name)
    judged = classify(
        QUESTION, encode_answer(QUESTION, 0, (), [soa, Record(QUESTION.name, RecordType.A, 5, "10.0.0.1")])
    )
    assert judged.worth is Worth.NODATA


def test_the_case_of_a_name_and_a_final_dot_do_not_matter() -> None:
    shouted = Question(QUESTION.name.upper() + ".", RecordType.A, QUESTION.id)
    assert classify(shouted, GOOD).worth is Worth.ANSWERED


def test_a_server_that_failed_early_may_leave_the_question_out() -> None:
    assert classify(QUESTION, struct.pack(">HHHHHH", QUESTION.id, 0x8001, 0, 0, 0, 0)).rcode == 1
    assert classify(QUESTION, struct.pack(">HHHHHH", QUESTION.id, 0x8000, 0, 0, 0, 0)).worth is Worth.WRONG_QUESTION


def test_an_answer_over_the_limit_is_truncated() -> None:
    records = [Record(QUESTION.name, RecordType.A, 5, f"10.0.0.{number}") for number in range(40)]
    wire = encode_answer(QUESTION, 0, records, limit=512)
    assert len(wire) <= 512
    assert classify(QUESTION, wire).worth is Worth.TRUNCATED
    assert dns.message.from_wire(encode_question(QUESTION)).id == QUESTION.id


def test_numbers_without_a_name_are_written_as_numbers() -> None:
    assert [rcode_name(0), rcode_name(3), rcode_name(23)] == ["NOERROR", "NXDOMAIN", "RCODE23"]
    assert [type_name(28), type_name(65)] == ["AAAA", "TYPE65"]

"""Our codec against dnspython's: what one writes, the other reads the same."""

from __future__ import annotations

import ipaddress

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.dns.classify import Worth, classify
from kubesonar.core.dns.message import Malformed, Question, decode_reply, encode_answer, encode_question, question_of
from kubesonar.core.dns.names import Reader, encode_name
from kubesonar.core.dns.records import Data, Record, RecordType, Srv


def wire_of(name: dns.name.Name) -> bytes:
    return name.to_wire() or b""


LABELS = st.binary(min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=6).map(lambda labels: dns.name.Name([*labels[:3], b""]))
TEXTS = NAMES.map(lambda name: Reader(wire_of(name)).name(0)[0])
IDS = st.integers(0, 0xFFFF)
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)
STRINGS = st.lists(st.binary(max_size=255), min_size=1, max_size=3).map(tuple)
RECORDS = st.one_of(
    st.builds(Record, TEXTS, st.just(RecordType.A), IDS, V4),
    st.builds(Record, TEXTS, st.just(RecordType.AAAA), IDS, V6),
    st.builds(Record, TEXTS, st.sampled_from((RecordType.CNAME, RecordType.PTR, RecordType.NS)), IDS, TEXTS),
    st.builds(Record, TEXTS, st.just(RecordType.TXT), IDS, STRINGS),
    st.builds(Record, TEXTS, st.just(RecordType.SRV), IDS, st.builds(Srv, IDS, IDS, IDS, TEXTS)),
    st.builds(Record, TEXTS, st.just(65280), IDS, st.binary(max_size=40)),
)


def theirs(name: str) -> dns.name.Name:
    return dns.name.from_wire(encode_name(name), 0)[0]


def oracle_data(record: Record) -> bytes:
    match record.data:
        case Srv() as srv:
            head = b"".join(part.to_bytes(2, "big") for part in (srv.priority, srv.weight, srv.port))
            return head + encode_name(srv.target)
        case tuple() as strings:
            return b"".join(bytes((len(string),)) + string for string in strings)
        case bytes() as data:
            return data
        case str() as text:
            return (
                ipaddress.ip_address(text).packed
                if record.type in (RecordType.A, RecordType.AAAA)
                else encode_name(text)
            )


def rrset_of(record: Record) -> dns.rrset.RRset:
    data = oracle_data(record)
    kind = dns.rdatatype.RdataType.make(record.type)
    rdata = dns.rdata.from_wire(dns.rdataclass.IN, kind, data, 0, len(data))
    return dns.rrset.from_rdata(theirs(record.name), record.ttl, rdata)


@given(TEXTS, IDS, IDS, st.booleans(), st.sampled_from((0, 512, 1232, 4096)))
def test_dnspython_reads_our_questions(name: str, type_: int, id_: int, recursion: bool, payload: int) -> None:
    read = dns.message.from_wire(encode_question(Question(name, type_, id_, recursion, payload)))
    assert (read.id, bool(read.flags & dns.flags.RD)) == (id_, recursion)
    assert (read.edns, read.payload) == ((0, payload) if payload else (-1, 0))
    assert [(entry.name, entry.rdtype, entry.rdclass) for entry in read.question] == [(theirs(name), type_, 1)]


@given(TEXTS, IDS, st.lists(RECORDS, max_size=5), st.booleans())
def test_we_read_dnspython_s_answers(name: str, id_: int, records: list[Record], edns: bool) -> None:
    question = Question(name, RecordType.A, id_, payload=1232 if edns else 0)
    reply = dns.message.make_response(dns.message.from_wire(encode_question(question)))
    reply.answer.extend(map(rrset_of, records))
    judged = classify(question, reply.to_wire(max_size=65535))
    assert judged.worth in (Worth.ANSWERED, Worth.NODATA), judged.reason
    assert judged.message is not None
    assert [same_case(record) for record in judged.message.answers] == [same_case(record) for record in records]


def same_case(record: Record) -> tuple[object, ...]:
    """dnspython's compression takes an earlier name's case (RFC 1035, section 4.1.4, compares without it)."""

    def lower(data: Data) -> object:
        match data:
            case str():
                return data.lower()
            case Srv():
                return (data.priority, data.weight, data.port, data.target.lower())
        return data

    return record.name.lower(), record.type, record.ttl, lower(record.data)


@given(TEXTS, IDS, st.lists(RECORDS, max_size=5), st.sampled_from((0, 2, 3, 16)))
def test_dnspython_reads_our_answers(name: str, id_: int, records: list[Record], rcode: int) -> None:
    wire = encode_answer(Question(name, RecordType.A, id_), rcode, records)
    read = dns.message.from_wire(wire, one_rr_per_rrset=True)
    assert (read.id, int(read.rcode())) == (id_, rcode)
    assert read.answer == [rrset_of(record) for record in records]


@given(TEXTS, IDS, st.sampled_from((0, 512, 1232)))
def test_a_server_reads_what_a_prober_asked(name: str, id_: int, payload: int) -> None:
    question = Question(name, RecordType.TXT, id_, payload=payload)
    message = decode_reply(encode_question(question))
    assert not isinstance(message, Malformed)
    assert question_of(message) == question

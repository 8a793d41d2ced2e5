"""Records on the wire. What dnspython makes of them: test_message.py."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.dns.records import Record, RecordType, Srv, encode_record


@given(st.ip_addresses(v=6))
def test_addresses_are_written_from_any_spelling(address: ipaddress.IPv6Address) -> None:
    short, long = (encode_record(Record("a", RecordType.AAAA, 1, text)) for text in (str(address), address.exploded))
    assert short == long
    assert short.endswith(address.packed)


@pytest.mark.parametrize(
    ("type_", "address"), [(RecordType.A, "::1"), (RecordType.AAAA, "192.0.2.1"), (RecordType.A, "x")]
)
def test_an_address_of_the_other_family_is_refused(type_: RecordType, address: str) -> None:
    with pytest.raises(ValueError, match=r"address|IP"):
        encode_record(Record("a", type_, 1, address))


@pytest.mark.parametrize(
    ("record", "data"),
    [
        (Record("a", RecordType.A, 1, "192.0.2.1"), b"\xc0\0\2\1"),
        (Record("a", RecordType.CNAME, 1, "b.example"), b"\1b\7example\0"),
        (Record("a", RecordType.TXT, 1, (b"one", b"")), b"\3one\0"),
        (Record("a", RecordType.SRV, 1, Srv(1, 2, 53, "b")), b"\0\1\0\2\0\x35\1b\0"),
        (Record("a", 65280, 1, b"any"), b"any"),
    ],
)
def test_data_are_written_by_their_type_behind_their_length(record: Record, data: bytes) -> None:
    wire = encode_record(record)
    assert wire.endswith(len(data).to_bytes(2, "big") + data)
    assert wire.startswith(b"\1a\0" + record.type.to_bytes(2, "big"))

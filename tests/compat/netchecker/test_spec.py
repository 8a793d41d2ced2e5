"""The record of an agent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.compat.go_json import go_compact_json
from kubesonar.compat.netchecker.spec import AgentSpec, decode_spec, go_time, payload
from kubesonar.core.decoding import Undecodable
from tests.compat.netchecker.rig import recorded, requests_of_the_original_agent


def test_nc01_the_records_of_the_original_are_written_byte_by_byte_as_it_wrote_them() -> None:
    _, body = recorded("GET /api/v1/agents/")
    records = {name: decode_spec(json.dumps(tree).encode()).in_order() for name, tree in json.loads(body).items()}
    assert go_compact_json(records) == body


def test_nc30_a_report_is_written_byte_by_byte_as_the_original_writes_it() -> None:
    body = requests_of_the_original_agent()[1].partition(b"\r\n\r\n")[2]
    assert go_compact_json(payload(decode_spec(body), zeros=10)) == body


def test_maps_are_in_the_order_of_their_keys_and_html_is_escaped() -> None:
    spec = decode_spec(b'{"ips":{"lo":[],"eth0":null},"nslookup":{"b":["1"],"a":[]},"nodename":"<&>"}').received(0)
    text = go_compact_json(spec).decode()
    assert '"ips":{"eth0":null,"lo":[]}' in text and '"nslookup":{"a":[],"b":["1"]}' in text
    assert '"nodename":"\\u003c\\u0026\\u003e"' in text
    assert '"last_updated":"1970-01-01T00:00:00Z"' in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1.5, "1970-01-01T00:00:01.5Z"),
        (1_795_864_922.113294, "2026-11-28T11:22:02.113294Z"),
    ],
)
def test_times_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    assert go_time(seconds) == text


@given(st.floats(0, 4e9))
def test_a_time_is_read_back(seconds: float) -> None:
    assert abs(AgentSpec().received(seconds).updated - seconds) < 2e-6


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (b"null", b"{}"),
        (b'{"nodename":null,"uptime":null,"report_interval":15}', b'{"report_interval":15}'),
        (b'{"hostdate":null,"ips":null,"network_probes":null}', b"{}"),
        (b'{"network_probes":[null,{"URL":null,"Total":7}]}', b'{"network_probes":[{},{"Total":7}]}'),
        (b'{"uptime":null,"ips":{"eth0":null}}', b'{"ips":{"eth0":null}}'),
        (b'{"zero_extender":null}', b"{}"),
    ],
)
def test_nc41_null_stands_for_what_is_not_given(given: bytes, meant: bytes) -> None:
    assert decode_spec(given) == decode_spec(meant)


@pytest.mark.parametrize(
    "bad",
    [
        b'{"report_interval":1.5}',
        b'{"report_interval":9223372036854775808}',
        b'{"uptime":-1}',
        b'{"nodename":[null]}',
        b'{"uptime":null,"nodename":7}',
        b"[null]",
        b"nul",
        b'{"network_probes":[null,7]}',
        b'{"ips":{"kube-ipvs0":[%s""]}}' % (b'"",' * 16_384),
        b'{"hostdate":"2026-11-28"}',
        b'{"nodename":"%s"}' % (b"x" * 254),
        b'{"network_probes":[%s{}]}' % (b"{}," * 256),
        b'{"network_probes":[{"Total":"7"}]}',
        b'{"nslookup":[]}',
        b"[]",
        b"",
    ],
)
def test_nc08_nc40_what_is_no_report_is_refused(bad: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_spec(bad)

"""Whatever comes in, a reader returns or raises what it documents and nothing else: a row for each reader of bytes or
text from outside, fed with valid input that is cut, spliced and mixed with what decoders trip over."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubesonar.apps.agent.options import MemberOptions
from kubesonar.apps.client.gather import decode_snapshot
from kubesonar.apps.collector.replicas.journal import Journal
from kubesonar.apps.collector.replicas.wire import Push, decode_held, decode_push
from kubesonar.compat.knh.settings import knh_settings
from kubesonar.compat.kubenurse.settings import kubenurse_settings
from kubesonar.compat.netchecker.flags import settings_of
from kubesonar.compat.netchecker.server.settings import SERVER_FLAGS, ServerSettings
from kubesonar.compat.netchecker.spec import decode_spec
from kubesonar.config import ConfigError
from kubesonar.config.loading import resolve
from kubesonar.config.yamltext import read_yaml
from kubesonar.core.decoding import Undecodable
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook, NoticeRecord
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.dns.message import Question, decode_reply, encode_question
from kubesonar.core.dns_check import corefile
from kubesonar.core.dns_check.questions import AskedServer, AskPlan, AskPurpose, DnsAsk, ServerRole
from kubesonar.core.encoding import encode_json
from kubesonar.core.membership.messages import Ping, decode_message, encode_message
from kubesonar.core.probing import resolv_conf
from kubesonar.core.probing.cluster_document import decode_cluster
from kubesonar.core.probing.plan import Target
from kubesonar.core.telemetry.reports.hand_over import (
    HAND_OVER_SCHEMA,
    HandOver,
    decode_hand_over,
    decode_handed_over,
)
from kubesonar.core.telemetry.reports.mirror import summed
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions, Mirrors
from kubesonar.core.telemetry.reports.report import (
    REPORT_SCHEMA,
    EdgeReport,
    Report,
    decode_receipt,
    decode_report,
)
from kubesonar.core.wire.codec import Sender, decode, mismatch, quoted_number
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.discovery import file
from kubesonar.discovery.file import RosterError
from kubesonar.discovery.options import RosterOptions
from kubesonar.doctor.dig import read_dig
from kubesonar.doctor.packed_plan import pack_plan, unpack_plan
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.errors import ApiError, refused_within
from kubesonar.kube.events import read_event
from kubesonar.kube.list_stream import ListPage, ObjectDecoder, PageError
from kubesonar.kube.types import EndpointSlice, Node, Pod, Service
from kubesonar.lab import faults
from kubesonar.lab.faults import FaultError
from kubesonar.lab.topology import plan_lab
from kubesonar.model import Condition, Member, Notice, Roster, Snapshot
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Failed
from kubesonar.net.http.response_reader import ResponseLimits, ResponseReader
from kubesonar.net.http.retry_after import retry_after
from kubesonar.net.http.url import parse_url
from kubesonar.net.udp.key_file import read_keys
from kubesonar.notify.formats import native
from kubesonar.notify.outbox_file import OUTBOX_FILE, OutboxFile
from kubesonar.probes.udp import UdpOptions
from kubesonar.runtime.proc import cpu_stat
from kubesonar.runtime.sqlite_file import Unavailable, Unreadable
from kubesonar.sim import scenario
from kubesonar.sim.scenario import ScenarioError
from kubesonar.stores.etcd import EtcdStore
from kubesonar.stores.etcd_options import EtcdOptions
from kubesonar.stores.record_file import STORE_FILE, RecordFile
from kubesonar.stores.store import StoreUnavailable
from kubesonar.web.options import LimitOptions
from kubesonar.web.request_reader import RequestReader
from tests.compat.netchecker.rig import requests_of_the_original_agent
from tests.core.mesh import Mesh
from tests.kube import shapes
from tests.net.servers import serving

RING = Keyring({1: bytes(32)}, 1)
ME = WireIdentity(bytes(8), bytes(8), bytes(8))
SPEAKER = Member("a", "a", ("10.0.0.1",), 7473)
PLAN = plan_lab(2)


def datagram(data: bytes) -> None:
    decode(data, RING)
    mismatch(data)
    quoted_number(data)
    signed = Sender(ME, 1).message(RING, bytes(8), 1, data[:500])
    decode_message(getattr(decode(signed, RING), "payload", b""))


def snapshot(data: bytes) -> None:
    found = decode_snapshot(data)
    if isinstance(found, Snapshot):
        basis([found], {}, 0.0)


def report(data: bytes) -> None:
    found = decode_report(data)
    if isinstance(found, Report):
        mirrors = Mirrors(MirrorOptions())
        mirrors.take(found, 1.0)
        collected = mirrors.collected(1.0)
        basis([summed(snapshot) for snapshot in collected.snapshots], collected.unread, collected.at)


def push(data: bytes) -> None:
    found = decode_push(data)
    if isinstance(found, Push):
        Journal("b", IncidentLog(), NoticeBook(), lambda new, gone, position: None, shared=False).take(found, 1.0)


def handed_over(data: bytes) -> None:
    found = decode_hand_over(data)
    if isinstance(found, HandOver):
        book = NoticeBook()
        book.take([NoticeRecord(1, found.notice)])
        book.twins(found.notice)
        native(found.notice)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder in memory, where there is one: a file of SQLite waits for the disk several times otherwise."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def in_file(read: Callable[[str], object]) -> Callable[[bytes], None]:
    def written(data: bytes) -> None:
        with scratch() as folder:
            path = Path(folder) / "file"
            path.write_bytes(data)
            read(str(path))

    return written


def as_text(read: Callable[[str], object]) -> Callable[[bytes], None]:
    def decoded(data: bytes) -> None:
        read(data.decode("utf-8", "surrogateescape"))  # as the interpreter decodes arguments and variables

    return decoded


def page(data: bytes) -> None:
    reader = ListPage(ObjectDecoder(Pod))
    for start in range(0, len(data), 100):
        list(reader.feed(data[start : start + 100]))
    reader.end()


def events(data: bytes) -> None:
    for kind in (Pod, Node, Service, EndpointSlice):
        read_event(data, ObjectDecoder(kind))


def outbox(data: bytes) -> None:
    with scratch() as folder:
        (Path(folder) / OUTBOX_FILE).write_bytes(data)
        box = OutboxFile(folder)
        box.load(10)
        box.close()


def outbox_row(data: bytes) -> None:
    with scratch() as folder:
        OutboxFile(folder).close()
        with sqlite3.connect(Path(folder) / OUTBOX_FILE) as base:
            base.execute("INSERT INTO outbox VALUES (1, ?, CAST(? AS TEXT), ?, 0, ?)", (data, data, "x", data))
        base.close()
        box = OutboxFile(folder)
        try:
            box.load(10)
        finally:
            box.close()


def store_file(data: bytes) -> None:
    with scratch() as folder:
        (Path(folder) / STORE_FILE).write_bytes(data)
        RecordFile(folder, 1 << 20, SystemClock()).close()


def etcd_answer(data: bytes) -> None:
    """What an endpoint of etcd answers, by the store that reads it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(data) + data)

    async def asked() -> None:
        async with serving(script) as port:
            store = EtcdStore(EtcdOptions(endpoints=(f"http://127.0.0.1:{port}",)))
            try:
                await store.read("agents")
            finally:
                await store.close()

    asyncio.run(asked())


def netchecker_flags(text: str) -> None:
    settings_of("netchecker-server", ServerSettings, SERVER_FLAGS, text.split(" "))


def cgroup(data: bytes) -> None:
    with scratch() as folder:
        for name in ("proc/self/cgroup", "sys/fs/cgroup/cpu.stat"):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        cpu_stat(folder)


def response(data: bytes) -> None:
    ResponseReader(ResponseLimits()).feed(data)


def request(data: bytes) -> None:
    for parsed in RequestReader(LimitOptions()).feed(data):
        parsed.request(None)


class SomeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of an agent that these tests set; to resolve all of them takes seven times as long."""

    member: MemberOptions = MemberOptions()
    roster: RosterOptions = RosterOptions()
    targets: tuple[Target, ...] = ()
    udp: UdpOptions = UdpOptions()


def variable(name: str) -> Callable[[bytes], None]:
    return as_text(lambda text: resolve(SomeOptions, [], {name: text}))


class Reader(NamedTuple):
    """What reads, the exceptions that it documents, and inputs that it accepts."""

    read: Callable[[bytes], object]
    documented: tuple[type[Exception], ...]
    accepted: tuple[bytes, ...]


POD = shapes.pod("a", node="n", ips=("10.0.0.1",))
YAML = b"""version: 1
members:
  - {name: a, node: n, network: host, zone: z, addresses: [10.0.0.1], port: 7473}
  - name: "b"
    node: m
    addresses: ["fd00::1"]
    port: 7473
"""
KUBECONFIG = b"""current-context: c
clusters: [{name: k, cluster: {server: "https://10.0.0.1:6443"}}]
users: [{name: u, user: {token: abc}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
"""
CONFIG = b"""member: {name: a, port: 7473}
roster: {file: members.yaml}
targets: [{name: x, kind: tcp, path: external, address: 10.0.0.1, port: 1}]
"""
DNS_PLAN = pack_plan(
    AskPlan((AskedServer("a", ServerRole.POD, "10.0.0.1"),), (DnsAsk(AskPurpose.MADE_UP, "*.c.local"),))
).encode()
SAID = Mesh(nodes=2).run(5.0).snapshots(5.0)[0][0]
TOLD = msgspec.json.encode(SAID)
REPORTED = msgspec.json.encode(
    Report(
        REPORT_SCHEMA,
        1,
        0,
        2.0,
        "",
        msgspec.structs.replace(SAID, edges=(), roster=Roster("", ())),
        edges=tuple(
            EdgeReport(number, edge.latest.check, 0, 100, 0.0, edge) for number, edge in enumerate(SAID.edges[:5])
        ),
        roster=SAID.roster,
    )
)

READERS = {
    "datagrams and their messages": Reader(
        datagram,
        (),
        (
            Sender(ME, 1).probe(RING, 1, 0, 1, 100),
            encode_message(Ping(1, Condition.SUSPECT, 1)),
        ),
    ),
    "snapshots of agents": Reader(snapshot, (), (TOLD,)),
    "reports of agents": Reader(report, (), (REPORTED,)),
    "a collector's members and Services": Reader(
        decode_cluster,
        (),
        (b'{"schema":1,"roster":{"revision":"r","members":[]},"dns_pods":[{"name":"d","address":"x"}]}',),
    ),
    "pushes of a leading collector": Reader(
        push,
        (),
        (
            b'{"schema":1,"replica":"a","position":{"term":1,"number":0},"records":{"incidents":[],"notices":[]}}',
            b'{"schema":1,"replica":"a","position":{"term":1,"number":2},"base":{"term":0,"number":0}}',
        ),
    ),
    "answers of replicas": Reader(
        decode_held, (), (b'{"schema":1,"replica":"a","position":{"term":1,"number":0},"term":1}',)
    ),
    "notices of coordinators": Reader(
        handed_over,
        (),
        (
            encode_json(HandOver(HAND_OVER_SCHEMA, SPEAKER, Notice("00", Condition.DEAD, "a", 1.0, "a is dead"))),
            encode_json(
                HandOver(HAND_OVER_SCHEMA, SPEAKER, Notice("01", Condition.BACK, "a", 1.0, "a is back"), told=True)
            ),
        ),
    ),
    "answers to notices": Reader(decode_handed_over, (), (b'{"schema":1,"taken":true}',)),
    "receipts of collectors": Reader(decode_receipt, (), (b'{"schema":1,"sequence":1,"interval":2.0}',)),
    "DNS messages": Reader(decode_reply, (), (encode_question(Question("a.b.", 1, 1)),)),
    "a members file": Reader(file.parse, (RosterError,), (YAML, b'{"version":1,"members":[{"name":"a"}]}')),
    "YAML": Reader(read_yaml, (Undecodable,), (YAML, b"a: !!binary aGk=\nb: 2020-01-01\nc: 1:20\n")),
    "a key file": Reader(read_keys, (ValueError,), (b"1 " + b"ab" * 32 + b"\n", b"2 " + b"QUJD" * 8)),
    "events of a watch": Reader(
        events,
        (ApiError,),
        (json.dumps({"type": "ADDED", "object": POD}).encode(), b'{"type":"ERROR","object":{"code":410}}'),
    ),
    "a list": Reader(
        page, (PageError,), (json.dumps({"metadata": {}, "items": [POD, POD]}, separators=(",", ":")).encode(),)
    ),
    "an error of the API": Reader(refused_within, (), (b'{"kind":"Status","code":410,"reason":"Gone"}',)),
    "a kubeconfig": Reader(in_file(from_kubeconfig), (CredentialsError,), (KUBECONFIG,)),
    "a configuration file": Reader(
        in_file(lambda path: resolve(SomeOptions, ["--config", path], {})), (ConfigError,), (CONFIG,)
    ),
    "a variable that is a list": Reader(variable("KUBESONAR_TARGETS"), (ConfigError,), (b'[{"name":"x"}]',)),
    "a variable that is a number": Reader(variable("KUBESONAR_UDP_TRAIN"), (ConfigError,), (b"16",)),
    "kubenurse's variables": Reader(
        as_text(lambda text: kubenurse_settings({"KUBENURSE_CHECK_INTERVAL": text, "KUBENURSE_EXTRA_CHECKS": text})),
        (ConfigError,),
        (b"5s", b"a:http://b/|c:http://d/"),
    ),
    "KNH's variables": Reader(
        as_text(lambda text: knh_settings({"POD_IP": text, "MY_NODE_NAME": text, "LOG_LEVEL": text})),
        (ConfigError,),
        (b"10.0.0.1", b"3"),
    ),
    "an outbox": Reader(outbox, (Unreadable, Unavailable), (b"SQLite format 3\0" + bytes(4080),)),
    "a store's file": Reader(store_file, (Unreadable, Unavailable), (b"SQLite format 3\0" + bytes(4080),)),
    "an answer of etcd": Reader(
        etcd_answer, (StoreUnavailable,), (b'{"kvs":[{"key":"a3ViZXNvbmFyL2FnZW50cy9h","value":"e30="}],"count":"1"}',)
    ),
    "a report of netchecker's agent": Reader(
        decode_spec, (Undecodable,), (requests_of_the_original_agent()[1].partition(b"\r\n\r\n")[2],)
    ),
    "netchecker's flags": Reader(
        as_text(netchecker_flags),
        (ConfigError,),
        (b"-v=5 -kubeproxyinit -report-ttl 30", b"--endpoint=:1 -check-interval=0x1"),
    ),
    "a row of the outbox": Reader(outbox_row, (Unreadable, Unavailable), (b"abc",)),
    "files of the kernel": Reader(cgroup, (), (b"0::/\n", b"nr_periods 1\nnr_throttled 1\n")),
    "a resolver's configuration": Reader(as_text(resolv_conf.parse), (), (b"nameserver 10.0.0.1\nsearch a.b c\n",)),
    "a Corefile": Reader(
        as_text(corefile.parse), (), (b".:53 {\n  kubernetes c.local {\n  }\n  forward . 10.0.0.2 [fd00::2]:53\n}\n",)
    ),
    "what dig printed": Reader(
        as_text(lambda text: read_dig(text, 9, Question("a.b.", 1, 1))),
        (),
        (
            b";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 2\n;; flags: qr aa tc; QUERY: 1\n;a.b. IN A\n"
            b"a.b. 5 IN A 10.0.0.1\n;; Query time: 4 msec\n",
        ),
    ),
    "a plan of DNS questions": Reader(as_text(unpack_plan), (ValueError,), (DNS_PLAN,)),
    "an HTTP response": Reader(
        response,
        (Failed,),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
    ),
    "an HTTP request": Reader(request, (), (b"GET /%41?a=b HTTP/1.1\r\nhost: a\r\n\r\n",)),
    "Retry-After": Reader(as_text(lambda text: retry_after(text, 0.0)), (), (b"5", b"Fri, 31 Dec 1999 23:59:59 GMT")),
    "a URL": Reader(as_text(parse_url), (ValueError,), (b"https://a:1/b?c", b"http://[::1]/")),
    "an order to the lab": Reader(
        as_text(lambda text: faults.parse(text, PLAN)), (FaultError,), (b"cut node-1", b"loss node-1 > node-2 5%")
    ),
    "a scenario": Reader(as_text(scenario.parse), (ScenarioError,), (b"members 3\nrun 5s\n",)),
}

PITFALLS = (
    b"\xff", b"\xc3", b"\x00", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xc2\x9b", "²".encode(), b"\r\n", b"\t",
    b"[" * 2000, b'{"a":' * 2000, b"(", b"9" * 5000, b"-1", b"1e400", b"NaN", b"nan", b".inf", b"null", b"~", b"true",
    b'!!int ""', b'!!float ""', b"!!bool x", b"!!timestamp x", b"!!map [a]", b"!!set [a]", b"!a:", b"? [a] : b",
    b"{a: b}: c", b"2026-99-99", b"&a", b"*a", b"<<: 1", b"- - - -", b'"', b"'", b"{", b"}", b"]", b",", b":", b"$ref",
    b"\xc1", b"\xd9\xff", b"\xdf\xff\xff\xff\xff", b"\xc7\x0c\xff", b"\xdd\xff\xff\xff\xff",
)  # fmt: skip
"""What decoders trip over: text that is not UTF-8, halves of characters, depth, digits, tags and keys of YAML, and the
headers of long values in MessagePack."""


def mixed(accepted: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Accepted input with up to four places cut out or replaced."""

    @st.composite
    def spoiled(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(accepted))
        for _ in range(draw(st.integers(1, 4))):
            start = draw(st.integers(0, len(data)))
            end = draw(st.integers(start, min(len(data), start + 40)))
            data = data[:start] + draw(st.sampled_from((*PITFALLS, b"")) | st.binary(max_size=8)) + data[end:]
        return data

    return st.binary(max_size=200) | spoiled()


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_reader_raises_only_what_it_documents(name: str, data: st.DataObject) -> None:
    reader = READERS[name]
    given_bytes = data.draw(mixed(reader.accepted))
    with suppress(*reader.documented):
        reader.read(given_bytes)


@pytest.mark.parametrize("name", READERS)
def test_every_pitfall_alone_is_no_accident(name: str) -> None:
    reader = READERS[name]
    for pitfall in PITFALLS:
        for given_bytes in (pitfall, *(one[: len(one) // 2] + pitfall for one in reader.accepted)):
            with suppress(*reader.documented):
                reader.read(given_bytes)

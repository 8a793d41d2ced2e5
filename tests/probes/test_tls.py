from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubesonar.model import Check, Fault, Kind, Network, Observation, Phase
from kubesonar.model import Path as Way
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.tls import TlsOptions, TlsProbe
from tests.net.certificates import Authority
from tests.net.rig import run
from tests.net.servers import Script, saying, serving, silent

SOURCE = ProbeSource("node-1", Network.POD)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def _look(trust: Path, script: Script, name: str = "good.test", **server: object) -> Observation:
    async def scenario() -> Observation:
        async with serving(script, **server) as port:  # type: ignore[arg-type]
            check = Check("tls", Kind.TLS, Way.POD, "t", "127.0.0.1", port, request=name, trust=str(trust))
            return await TlsProbe(SOURCE, TlsOptions())(check)

    return run(scenario())


def test_a_good_certificate_and_until_when(authority: Authority) -> None:
    seen = _look(authority.file, silent, context=authority.server("good.test"))
    assert seen.fault is None
    assert [span.phase for span in seen.phases] == [Phase.CONNECT, Phase.TLS]
    assert re.fullmatch(r"certificate good until \d{4}-\d\d-\d\d", seen.detail)


def test_the_address_is_the_name_where_none_is_given(authority: Authority) -> None:
    assert _look(authority.file, silent, name="", context=authority.server("127.0.0.1")).fault is None


def test_a_final_dot_is_neither_sent_nor_verified(authority: Authority) -> None:
    sent: list[str | None] = []
    context = authority.server("good.test", "*.wild.test")
    context.sni_callback = lambda sock, name, context: sent.append(name)
    assert _look(authority.file, silent, name="good.test.", context=context).fault is None
    assert _look(authority.file, silent, name="a.wild.test.", context=context).fault is None
    assert sent == ["good.test", "a.wild.test"]
    other = _look(authority.file, silent, name="other.test.", context=authority.server("good.test"))
    twice = _look(authority.file, silent, name="good.test..", context=authority.server("good.test"))
    root = _look(authority.file, silent, name=".", context=context)
    assert {other.fault, twice.fault, root.fault} == {Fault.TLS}
    assert "for another name" in other.detail


def test_each_part_that_can_be_wrong_is_named(authority: Authority, tmp_path: Path) -> None:
    good = authority.server("good.test")
    wrong_name = _look(authority.file, silent, name="other.test", context=good)
    wrong_address = _look(authority.file, silent, name="", context=good)
    expired = _look(authority.file, silent, context=authority.server("good.test", expired=True))
    unknown = _look(Authority(tmp_path, "stranger").file, silent, context=good)
    seen = (wrong_name, wrong_address, expired, unknown)
    assert {observation.fault for observation in seen} == {Fault.TLS}
    assert "for another name" in wrong_name.detail
    assert "for another IP address" in wrong_address.detail
    assert "has expired" in expired.detail
    assert "issuer is not known" in unknown.detail
    assert {observation.received for observation in seen} == {1}


def test_a_server_without_tls_is_a_tls_fault(authority: Authority) -> None:
    async def plain(reader: object, writer: object) -> None:
        writer.write(b"220 smtp ready\r\n")  # type: ignore[attr-defined]

    seen = _look(authority.file, plain)
    assert seen.fault is Fault.TLS
    assert seen.phases[0].phase is Phase.CONNECT


def test_a_server_that_leaves_in_the_handshake(authority: Authority) -> None:
    async def leaving(reader: object, writer: object) -> None:
        await reader.read(10_000)  # type: ignore[attr-defined]

    assert _look(authority.file, leaving).fault is Fault.TLS


def test_a_file_that_is_not_there_accuses_nobody(tmp_path: Path) -> None:
    seen = _look(tmp_path / "none.pem", saying(b""))
    assert seen.fault is Fault.LOCAL
    assert "none.pem" in seen.detail

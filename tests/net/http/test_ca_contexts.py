from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest
import trustme

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts, ca_context, system_context
from kubesonar.net.tcp.stream import Stream
from tests.net.certificates import Authority
from tests.net.rig import run
from tests.net.servers import serving, silent


def test_one_context_for_each_file(tmp_path: Path) -> None:
    trust, one, two = CaContexts(), str(Authority(tmp_path, "one").file), str(Authority(tmp_path, "two").file)
    assert trust.context(one) is trust.context(one)
    assert trust.context(one) is not trust.context(two)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    trust, authority = CaContexts(), Authority(tmp_path)
    before = trust.context(str(authority.file))
    fresh = Authority(tmp_path, "fresh")
    fresh.file.rename(authority.file)
    after = trust.context(str(authority.file))
    assert after is not before
    assert after.get_ca_certs() != before.get_ca_certs()


def test_a_file_gone_bad_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    trust, authority = CaContexts(), Authority(tmp_path)
    before = trust.context(str(authority.file))
    authority.file.write_text("half a cert")
    assert trust.context(str(authority.file)) is before
    authority.file.unlink()
    assert trust.context(str(authority.file)) is before


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_that_cannot_be_used_is_our_own_trouble(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Failed, match=str(path)) as failed:
        CaContexts().context(str(path))
    assert failed.value.fault is Fault.LOCAL


def test_cas_without_an_authority_key_identifier_are_trusted() -> None:
    assert not system_context().verify_flags & ssl.VerifyFlags.VERIFY_X509_STRICT


GARBLED = b"-----BEGIN CERTIFICATE-----\nAAAA????\n-----END CERTIFICATE-----\n"
NO_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
ENDLESS = b"-----BEGIN CERTIFICATE-----\nAAAA\n"
EMPTY = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
WITH_HEADER = b"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
COMMENT = "# Zertifizierungsstelle für alle\n".encode() + b"\xff\0\n"


@pytest.mark.parametrize("broken", [GARBLED, NO_CERTIFICATE, ENDLESS, EMPTY, WITH_HEADER])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_broken_block_costs_itself_and_a_warning(
    tmp_path: Path, broken: bytes, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = [Authority(tmp_path, name).file.read_bytes() for name in ("one", "two")]
    blocks.insert(place, broken)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(COMMENT.join([b"", *blocks, KEY]))
    with caplog.at_level(logging.WARNING):
        assert CaContexts().context(str(bundle)).cert_store_stats()["x509_ca"] == 2
    (warning,) = caplog.records
    assert warning.getMessage().startswith(f"certificate {place + 1} of {bundle} is passed over: ")


def test_of_many_broken_blocks_not_all_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ca_context(GARBLED * 1000 + Authority(tmp_path).file.read_bytes(), "the bundle")
    assert len(caplog.records) == 11
    assert caplog.records[-1].getMessage() == "990 more certificates of the bundle are passed over"


@pytest.mark.parametrize(("bundle", "why"), [(GARBLED + ENDLESS, "none of its"), (KEY, "it has no certificate")])
def test_where_no_block_is_good_the_bundle_is_not(bundle: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ca_context(bundle, "the bundle")


def test_line_ends_of_windows_and_a_missing_last_one(tmp_path: Path) -> None:
    pem = Authority(tmp_path).file.read_bytes()
    assert ca_context(pem.replace(b"\n", b"\r\n"), "x").cert_store_stats()["x509_ca"] == 1
    assert ca_context(pem.rstrip(), "x").cert_store_stats()["x509_ca"] == 1


def test_an_intermediate_ca_in_the_bundle_is_trusted_by_itself_as_in_go(tmp_path: Path) -> None:
    root = trustme.CA()
    middle = root.create_child_ca()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    middle.issue_cert("127.0.0.1").configure_cert(server)
    file = tmp_path / "middle.pem"
    middle.cert_pem.write_to_path(str(file))

    async def scenario() -> None:
        async with serving(silent, context=server) as port:
            with Deadline(5) as deadline:
                stream = Stream()
                await stream.connect("127.0.0.1", port, deadline)
                await stream.start_tls(CaContexts().context(str(file)), "127.0.0.1", deadline)
                stream.close()

    run(scenario())

from pathlib import Path

import pytest

from kubesonar.core.wire.keyring import Keyring
from kubesonar.net.clock import SystemClock
from kubesonar.reports.auth.reporter import Reporter, ReporterRefused
from kubesonar.reports.auth.signed import SignedReports
from kubesonar.reports.signature import SIGNATURE_HEADER, sign_request
from kubesonar.web import Request
from tests.web.support import run

PATH, BODY = "/api/v1/reports", b"a report"


def reporter(folder: Path, *headers: tuple[bytes, bytes]) -> Reporter:
    (folder / "keys").write_text(f"1 {16 * 'ab'}\n")
    signed = SignedReports(str(folder / "keys"), SystemClock())
    return run(lambda: signed.reporter(Request(method="POST", path=PATH, body=BODY, headers=list(headers))))


def test_who_signs_with_a_key_of_the_mesh_may_be_any_member(tmp_path: Path) -> None:
    signature = sign_request(Keyring({1: bytes.fromhex(16 * "ab")}, 1), PATH, BODY, SystemClock().wall())
    assert reporter(tmp_path, (SIGNATURE_HEADER.encode(), signature.encode())) == Reporter()


@pytest.mark.parametrize("headers", [(), ((SIGNATURE_HEADER.encode(), b"1 2 3"),), ((b"authorization", b"Bearer x"),)])
def test_others_are_refused(tmp_path: Path, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(ReporterRefused, match="the request is not believed: it"):
        reporter(tmp_path, *headers)

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from tests.net.certificates import Authority


def test_a_comment_in_another_script_spoils_no_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes("# Zertifizierungsstelle für alle\n".encode() + Authority(tmp_path).file.read_bytes())
    known = TrustContexts((), insecure=False).context().cert_store_stats()["x509_ca"]
    assert TrustContexts((str(bundle),), insecure=False).context().cert_store_stats()["x509_ca"] == known + 1


def test_a_broken_block_before_good_ones_costs_itself_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = tmp_path / "bundle.pem"
    broken = b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n"
    bundle.write_bytes(broken + Authority(tmp_path).file.read_bytes() + broken)
    known = TrustContexts((), insecure=False).context().cert_store_stats()["x509_ca"]
    contexts = TrustContexts((str(bundle),), insecure=False)
    assert contexts.context().cert_store_stats()["x509_ca"] == known + 1
    assert contexts.context() is contexts.context()
    warnings = [record.getMessage().partition(" is passed over")[0] for record in caplog.records]
    assert warnings == [f"certificate 1 of {bundle}", f"certificate 3 of {bundle}"]

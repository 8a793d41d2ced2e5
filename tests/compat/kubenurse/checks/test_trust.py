from __future__ import annotations

from pathlib import Path

from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from tests.net.certificates import Authority


def test_a_comment_in_another_script_spoils_no_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes("# Zertifizierungsstelle für alle\n".encode() + Authority(tmp_path).file.read_bytes())
    known = TrustContexts((), insecure=False).context().cert_store_stats()["x509_ca"]
    assert TrustContexts((str(bundle),), insecure=False).context().cert_store_stats()["x509_ca"] == known + 1

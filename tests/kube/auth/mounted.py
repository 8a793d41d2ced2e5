"""A service account's files."""

from __future__ import annotations

from pathlib import Path

from tests.kube.serving import Certificates

ENVIRON = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


AUTHORITY = Certificates().authority


def mounted(folder: Path, token: bytes = b"token-1\n", authority: bytes = AUTHORITY) -> str:
    (folder / "token").write_bytes(token)
    (folder / "ca.crt").write_bytes(authority)
    return str(folder)

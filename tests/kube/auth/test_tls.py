"""CAs that are trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import in_cluster
from tests.kube.auth.mounted import AUTHORITY, ENVIRON, mounted


@pytest.mark.parametrize(
    "authority", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_file_that_is_none(tmp_path: Path, authority: bytes) -> None:
    with pytest.raises(CredentialsError, match="the API server's CA certificates cannot be used"):
        in_cluster(ENVIRON, mounted(tmp_path, authority=authority))


def test_a_comment_in_another_script_spoils_no_ca_file(tmp_path: Path) -> None:
    in_cluster(ENVIRON, mounted(tmp_path, authority="# für alle\n".encode() + AUTHORITY))

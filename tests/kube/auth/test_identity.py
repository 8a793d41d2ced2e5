"""Tokens that can be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import in_cluster
from tests.kube.auth.mounted import ENVIRON, mounted


@pytest.mark.parametrize("token", [b"", b" \n", b"a b", b"a\r\nX: y", b"\xff\xfe", b"x" * 40_000])
def test_a_token_that_cannot_stand_in_a_header(tmp_path: Path, token: bytes) -> None:
    with pytest.raises(CredentialsError, match="the token is") as caught:
        in_cluster(ENVIRON, mounted(tmp_path, token))
    assert len(str(caught.value)) < 100

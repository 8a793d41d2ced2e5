from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed
from kubesonar.net.http.ca_contexts import CaContexts, ca_context
from tests.net.certificates import Authority


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
    assert not ca_context().verify_flags & ssl.VerifyFlags.VERIFY_X509_STRICT

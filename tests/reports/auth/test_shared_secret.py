from functools import partial
from pathlib import Path

import pytest

from kubesonar.config import ConfigError
from kubesonar.reports.auth.reporter import Reporter, ReporterRefused
from kubesonar.reports.auth.shared_secret import SharedSecret
from kubesonar.web import Request
from tests.web.support import run


def test_who_shows_a_line_of_the_file_may_be_any_member(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one\ntwo\n")
    secret = SharedSecret(str(tmp_path / "secret"))
    for token in (b"one", b"two"):
        request = Request(headers=[(b"authorization", b"Bearer " + token)])
        assert run(partial(secret.reporter, request)) == Reporter()


@pytest.mark.parametrize("headers", [[], [(b"authorization", b"Bearer onetwo")], [(b"authorization", b"Basic one")]])
def test_others_are_refused(tmp_path: Path, headers: list[tuple[bytes, bytes]]) -> None:
    (tmp_path / "secret").write_text("one\ntwo\n")
    secret = SharedSecret(str(tmp_path / "secret"))
    with pytest.raises(ReporterRefused, match="secret_file"):
        run(lambda: secret.reporter(Request(headers=headers)))


def test_a_file_without_a_secret_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(ConfigError):
        SharedSecret(str(tmp_path / "secret"))

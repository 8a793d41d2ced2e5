"""Arguments that people's commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.apps.client import asking, check
from kubesonar.config import ConfigError
from tests.apps.listening import on_tcp


def test_a_token_file_is_read_and_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "token"
    asked: list[bytes] = []
    file.write_text("\n s3cret \nother\n")
    with on_tcp(lambda request: asked.append(request)) as url:
        check.main([url, "--token-file", str(file), "--timeout", "0.2"])
    assert b"Bearer s3cret\r\n" in asked[0]
    for text in (b"", b"  \n", b"\xff\xfe", b"a\x00b"):
        file.write_bytes(text)
        with pytest.raises(ConfigError, match=r"--token-file: .* holds no token"):
            check.main(["unix:/x", "--token-file", str(file)])
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        check.main(["unix:/x", "--token-file", str(tmp_path / "none")])


def test_what_a_command_found_is_not_written_out_on_the_way() -> None:
    written: list[str] = []

    class Found:
        def __repr__(self) -> str:
            written.append("it")
            return "it"

    async def work() -> Found:
        return Found()

    assert type(asking.run_async(work())) is Found
    assert written == []

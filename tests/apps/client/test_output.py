"""Pictures of what a command shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubesonar.apps.client import check, map
from tests.apps.listening import answers, on_sockets
from tests.core.mesh import Mesh


@pytest.mark.parametrize("columns", ["0", "1", "abc", ""])
def test_a_width_that_is_none_hides_nothing(
    columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with on_sockets(tmp_path, answers(Mesh(nodes=3))):
        assert map.main([str(tmp_path), "--once"]) == 0
    assert capsys.readouterr().out.startswith("the network is healthy")


def test_a_picture_fetches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "map.svg"
    with on_sockets(tmp_path, answers(Mesh(nodes=3))):
        assert map.main([str(tmp_path), "--once", "--svg", str(picture)]) == 0
        assert check.main([str(tmp_path), "--svg", str(picture)]) == 0
    svg = picture.read_text()
    assert svg.startswith("<svg") and "healthy" in svg
    assert "@font-face" not in svg and not re.search(r"(?:src|href|url)\W*http", svg)

"""`kubesonar map`, printed once."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kubesonar.apps.client import map
from kubesonar.views.answers import MapAnswer
from tests.apps.listening import answers, on_sockets
from tests.core.mesh import Mesh


def test_the_map_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        assert map.main([str(tmp_path), "--once"]) == 0
        both = capsys.readouterr().out
        assert map.main([str(tmp_path), "--once", "--network", "pod"]) == 0
        pod = capsys.readouterr().out
        assert map.main([str(tmp_path), "--json"]) == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=MapAnswer, strict=True)
    assert both.startswith("node-3 is cut off") and "host network  5 members" in both and "\x1b" not in both
    assert "pod network  5 members" in pod and "host network  5 members" not in pod
    assert [network.network for network in found.networks] == ["pod", "host"]
    assert len(found.networks[0].members) == 5 and len(found.networks[0].cells) == 40


def test_a_map_of_nobody_is_exit_code_2() -> None:
    assert map.main(["unix:/nowhere/a.sock", "--once"]) == 2

"""A program prints its help, or one sentence."""

from __future__ import annotations

import pytest

from kubesonar.config import from_command_line
from tests.config.trees import Root


def test_help_is_printed_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        from_command_line(Root, ["--help"], {}, program="kubesonar agent", summary="Probes.")
    assert ended.value.code == 0
    assert "--udp.period VALUE" in capsys.readouterr().out


def test_a_refusal_is_printed_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        from_command_line(Root, ["--nme", "x"], {}, program="kubesonar agent", summary="Probes.")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "kubesonar agent: unknown flag --nme; did you mean --name?\n"

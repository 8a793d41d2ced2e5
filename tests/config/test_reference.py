"""The help text and the documentation say everything about every option."""

from __future__ import annotations

import pytest

from kubesonar.config import describe, from_command_line, help_text, markdown
from tests.config.test_loading import Root


def test_every_option_is_a_row() -> None:
    rows = {row.key: row for row in describe(Root)}
    period = rows["udp.period"]
    assert (period.default, period.env, period.flag) == ("10s", "KUBESONAR_UDP_PERIOD", "--udp.period")
    assert period.type == "a duration (seconds, or as 250ms, 5s, 2m, 1h) from 0.1 to 3600 s"
    assert rows["udp.time_out"].type.endswith("more than 0 s")
    assert rows["http.listen"].type == "a list, each a mapping with the keys address, port, network"
    assert rows["http.token_file"].type == "text or null"


def test_help_and_documentation_name_every_option() -> None:
    rows = describe(Root)
    for text in (help_text(Root, "kubesonar agent", "Probes."), markdown(rows)):
        assert all(row.env in text and row.description in text for row in rows)


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

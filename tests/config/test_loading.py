"""The effective configuration: which source wins, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kubesonar.config import ConfigError, from_command_line, resolve
from tests.config.trees import Probe, Root, load_file, refusal


def test_defaults_are_those_of_the_outermost_struct_that_gives_one() -> None:
    assert resolve(Root, [], {}).tree == Root(udp=Probe(period=10))


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    text = "name: file\nhttp:\n  port: 1\nudp: {period: 1m, time_out: 0.5}\n"
    tree = load_file(tmp_path, text, "--name=flag", KUBESONAR_NAME="environment", KUBESONAR_HTTP_PORT="2")
    assert (tree.name, tree.http.port, tree.udp.period, tree.udp.time_out) == ("flag", 2, 60, 0.5)


def test_the_environment_names_a_file_and_a_flag_names_another(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("name: one")
    other.write_text("name: other")
    environ = {"KUBESONAR_CONFIG": str(one)}
    assert resolve(Root, [], environ).tree.name == "one"
    assert resolve(Root, ["--config", str(other)], environ).tree.name == "other"


def test_values_that_do_not_go_together_name_their_sources() -> None:
    text = refusal(["--udp.time_out", "20s"])
    assert text == "udp: time_out must not exceed period (udp.time_out from flag --udp.time_out)"


def test_a_value_without_default_must_be_given() -> None:
    class Needy(msgspec.Struct, frozen=True):
        name: str

    with pytest.raises(ConfigError, match="name is missing: give it in a file, by KUBESONAR_NAME or by --name"):
        resolve(Needy, [], {})


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

"""Command lines as Go reads them."""

from __future__ import annotations

import pytest

from kubesonar.compat.netchecker.agent.settings import AGENT_FLAGS, AgentSettings
from kubesonar.compat.netchecker.flags import settings_of
from kubesonar.compat.netchecker.server.settings import SERVER_FLAGS, ServerSettings
from kubesonar.config import ConfigError


def agent(*flags: str) -> AgentSettings:
    settings = settings_of("netchecker-agent", AgentSettings, AGENT_FLAGS, flags)
    assert settings is not None
    return settings


def test_nc36_the_arguments_of_the_originals_manifests_are_read() -> None:
    settings = agent("-v=5", "-alsologtostderr=true", "-serverendpoint=netchecker-service:8081", "-reportinterval=15")
    assert (settings.v, settings.serverendpoint, settings.reportinterval) == (5, "netchecker-service:8081", 15)
    server = settings_of(
        "netchecker-server", ServerSettings, SERVER_FLAGS, ["-v=5", "-kubeproxyinit", "-endpoint=0.0.0.0:8081"]
    )
    assert server is not None
    assert server.kubeproxyinit and server.endpoint == "0.0.0.0:8081"


@pytest.mark.parametrize(
    ("flags", "interval"),
    [
        (["-reportinterval=5"], 5),
        (["--reportinterval=5"], 5),
        (["-reportinterval", "5"], 5),
        (["-reportinterval=0x10"], 16),
        (["-reportinterval=010"], 8),
        (["-reportinterval=5", "-reportinterval=6"], 6),
        (["-logtostderr", "-reportinterval=5"], 5),
        (["--", "-reportinterval=5"], 60),
        (["word", "-reportinterval=5"], 60),
        ([], 60),
    ],
)
def test_nc36_flags_are_written_as_gos_are(flags: list[str], interval: int) -> None:
    assert agent(*flags).reportinterval == interval


@pytest.mark.parametrize(("word", "value"), [("1", True), ("T", True), ("TRUE", True), ("False", False), ("f", False)])
def test_nc36_booleans_are_gos(word: str, value: bool) -> None:
    flags = [f"-kubeproxyinit={word}", "-logtostderr", "-log_dir", "/tmp"]
    settings = settings_of("netchecker-server", ServerSettings, SERVER_FLAGS, flags)
    assert settings is not None
    assert settings.kubeproxyinit is value


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["-report=5"], "flag provided but not defined: -report"),
        (["-reportinterval"], "flag needs an argument: -reportinterval"),
        (["-reportinterval=x"], 'invalid value "x" for flag -reportinterval: expected a whole number from 1 to 86400'),
        (["-reportinterval=0"], "expected a whole number from 1"),
        (["-logtostderr=yes"], "expected true or false"),
        (["-=5"], "flag provided but not defined"),
    ],
)
def test_nc36_nc37_what_is_no_flag_is_refused(flags: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        agent(*flags)


def test_help_lists_every_flag_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert settings_of("netchecker-agent", AgentSettings, AGENT_FLAGS, ["-v=1", "-help", "-nonsense"]) is None
    said = capsys.readouterr().out
    assert [flag.name for flag in AGENT_FLAGS if f"  -{flag.name}\n" not in said] == []
    assert "(default netchecker-service:8081)" in said

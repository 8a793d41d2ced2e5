"""`kubesonar config show`, and the agent's configuration as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.config import main
from kubesonar.config import ConfigError, describe, resolve

SECRETS = ("token", "password", "secret", "key")


def test_what_is_shown_is_a_file_that_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--metrics.edges", "all"]) == 0
    shown = capsys.readouterr().out
    path = tmp_path / "config.yaml"
    path.write_text(shown)
    assert (
        resolve(AgentOptions, ["--config", str(path)], {}).tree
        == resolve(AgentOptions, ["--metrics.edges=all"], {}).tree
    )
    assert 'edges: "all"  # flag --metrics.edges\n' in shown


def test_only_show_is_known() -> None:
    with pytest.raises(ConfigError, match="expected config show"):
        main(["edit"])


def test_every_option_says_what_it_is_for_and_none_holds_a_secret() -> None:
    for row in describe(AgentOptions):
        assert row.description.endswith((".", ")")), row.key
        assert not row.key.endswith(SECRETS), row.key

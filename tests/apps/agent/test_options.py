"""What an agent's options allow together."""

from __future__ import annotations

import pytest

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.config import ConfigError
from kubesonar.config.loading import resolve


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ([], "coordinator.judge: expected keys.file"),
        (["--keys.file", "k", "--reports.to", "http://a:1"], "coordinator.judge and reports.to: expected one of them"),
        (["--keys.file", "k", "--membership.enabled", "false"], "coordinator.judge: expected membership.enabled"),
    ],
)
def test_what_does_not_go_together_is_refused(flags: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        resolve(AgentOptions, ["--coordinator.judge", "true", *flags], {})


def test_a_coordinator_that_judges_needs_nothing_but_keys() -> None:
    tree = resolve(AgentOptions, ["--coordinator.judge", "true", "--keys.file", "k"], {}).tree
    assert (tree.coordinator.judge, tree.coordinator.port) == (True, 7475)

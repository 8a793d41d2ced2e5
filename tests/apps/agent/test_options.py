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


@pytest.mark.parametrize(
    "given", ["https://h/path", "https://h?query", "https://h#part", "h:7475", "{address}", "http://{host}"]
)
def test_the_page_s_address_is_one_of_a_host_and_nothing_more(given: str) -> None:
    with pytest.raises(ConfigError, match=r"coordinator\.page_address|coordinator: a URL is"):
        resolve(AgentOptions, ["--coordinator.page_address", given], {})


@pytest.mark.parametrize(
    ("given", "address", "led"),
    [
        ("https://sonar.example", "10.0.0.1", "https://sonar.example"),
        ("http://{address}:7475", "10.0.0.1", "http://10.0.0.1:7475"),
        ("http://{address}:7475/", "fd00::1", "http://[fd00::1]:7475/"),
        ("http://{address}:7475", "", ""),
        ("https://sonar.example", "", "https://sonar.example"),
        ("", "10.0.0.1", ""),
    ],
)
def test_the_page_s_address_may_hold_that_of_the_coordinator(given: str, address: str, led: str) -> None:
    tree = resolve(AgentOptions, ["--coordinator.page_address", given], {}).tree
    assert tree.coordinator.page_at(address) == led


def test_a_coordinator_that_judges_needs_nothing_but_keys() -> None:
    tree = resolve(AgentOptions, ["--coordinator.judge", "true", "--keys.file", "k"], {}).tree
    assert (tree.coordinator.judge, tree.coordinator.port) == (True, 7475)

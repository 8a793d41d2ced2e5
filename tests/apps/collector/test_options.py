"""The address of the page: what it may be."""

from __future__ import annotations

import pytest

from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.config import ConfigError, resolve


@pytest.mark.parametrize("address", ["", "https://sonar.example.org", "http://sonar.example.org:8080/"])
def test_the_page_is_opened_at_a_host(address: str) -> None:
    options: CollectorOptions = resolve(CollectorOptions, ["--page.address", address], {}).tree
    assert options.page.address == address


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--page.address", "sonar.example.org"], "page"),
        (["--page.address", "https://a/sonar/"], 'address: got "https://a/sonar/", expected http://HOST:PORT'),
        (["--page.address", "https://a/?x=1"], "address: got"),
        (["--page.address", "https://a", "--page.enabled=false"], "address: expected none, because enabled is false"),
    ],
)
def test_another_address_is_refused_by_name(flags: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        resolve(CollectorOptions, flags, {})

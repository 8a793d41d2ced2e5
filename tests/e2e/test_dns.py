"""`kubesonar dns check` on a real cluster, from each standpoint: see README.md."""

from __future__ import annotations

import json
import os

import pytest

from kubesonar.apps.dns import main
from kubesonar.apps.dns.look_options import VANTAGES
from kubesonar.config import ConfigError


@pytest.fixture
def kubeconfig() -> str:
    """Of a real cluster."""
    if os.environ.get("KUBESONAR_E2E") != "1" or not os.environ.get("KUBECONFIG"):
        pytest.skip("no cluster is given: KUBESONAR_E2E=1 and KUBECONFIG (tests/e2e/README.md)")
    return os.environ["KUBECONFIG"]


@pytest.mark.parametrize("vantage", VANTAGES)
def test_from_each_standpoint(vantage: int, kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "--json", "--kubeconfig", kubeconfig, "--vantage", str(vantage)]
    if image := os.environ.get("KUBESONAR_E2E_IMAGE"):
        arguments += ["--image", image]
    try:
        code = main(arguments)
    except ConfigError as error:
        pytest.skip(f"this cluster does not have standpoint {vantage}: {error}")
    said = json.loads(capsys.readouterr().out)
    assert said["vantage"] == vantage
    assert said["results"]
    assert code == {"good": 0, "bad": 1}.get(said["verdict"], 2)

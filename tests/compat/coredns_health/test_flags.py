"""Command lines of coredns-healthcheck, as its documentation has them; the ids are those of the room's README."""

from __future__ import annotations

import argparse

import pytest

from kubesonar.compat.coredns_health.flags import HealthcheckFlags, add_healthcheck_flags, healthcheck_flags


def read(*arguments: str) -> HealthcheckFlags:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    add_healthcheck_flags(parser)
    return healthcheck_flags(parser.parse_args(arguments))


@pytest.mark.parametrize(
    "arguments", [("-udpPort=1053",), ("-udpPort", "1053"), ("-port", "1053"), ("-port=99", "-udpPort=1053")]
)
def test_ch01_the_port(arguments: tuple[str, ...]) -> None:
    assert read(*arguments).port == 1053


def test_ch02_the_kubeconfig() -> None:
    assert read("-path=/etc/kube/config").kubeconfig == "/etc/kube/config"


@pytest.mark.parametrize(("word", "allowed"), [("true", True), ("false", False), ("1", True), ("F", False)])
def test_ch03_helper_pods(word: str, allowed: bool) -> None:
    assert read(f"-allowPods={word}").allow_pods is allowed


def test_ch04_what_changes_nothing_is_named() -> None:
    assert read("-memFactor=2", "-replicas", "3").ignored == ("-memFactor", "-replicas")


def test_no_flags_mean_nothing() -> None:
    assert read() == HealthcheckFlags(None, None, None, ())


@pytest.mark.parametrize(
    "argument", ["-allowPods=maybe", "-udpPort=dns", "-port=0", "-udpPort=65536", "-port=0000000539"]
)
def test_wrong_values(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(argument)
    assert "expected" in capsys.readouterr().err

"""What values may be written as."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from kubesonar.config import resolve
from kubesonar.config.values import expected
from tests.config.trees import Listener, Root, load_file, refusal


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("2m", 120), ("1h", 3600), ("1m30s", 90), ("7.5", 7.5)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert resolve(Root, ["--udp.period", text, "--udp.time_out", "100ms"], {}).tree.udp.period == pytest.approx(
        seconds
    )


def test_lists_are_repeated_flags_or_text() -> None:
    assert resolve(Root, ["--udp.ports", "1", "--udp.ports=2"], {}).tree.udp.ports == (1, 2)
    assert resolve(Root, [], {"KUBESONAR_UDP_PORTS": "[3, 4]"}).tree.udp.ports == (3, 4)
    assert resolve(Root, [], {"KUBESONAR_UDP_PORTS": "5"}).tree.udp.ports == (5,)
    assert resolve(Root, [], {"KUBESONAR_UDP_PORTS": ""}).tree.udp.ports == ()
    assert resolve(Root, ["--udp.sizes", "[250ms, 2]"], {}).tree.udp.sizes == [0.25, 2]


def test_lists_of_structs_are_mappings_in_yaml_or_json(tmp_path: Path) -> None:
    listener = (Listener("::1", 9),)
    assert resolve(Root, ["--http.listen", '{"address": "::1", "port": 9}'], {}).tree.http.listen == listener
    assert resolve(Root, ["--http.listen", "[{address: '::1', port: 9}]"], {}).tree.http.listen == listener
    assert load_file(tmp_path, "http: {listen: [{address: '::1', port: 9}]}").http.listen == listener


@pytest.mark.parametrize(
    ("listeners", "place"),
    [
        ("[{address: a}, {address: b, network: pdo}]", "([1].network: expected one of pod, host)"),
        ("[{address: a, port: 70000}]", "([0].port: expected int <= 65535)"),
        ("[{adress: a}]", "([0]: object contains unknown field adress)"),
        ("[a: {network: pdo}]", "([0]: object contains unknown field a)"),
    ],
)
def test_trouble_inside_a_list_is_told_with_its_place(listeners: str, place: str) -> None:
    assert refusal(["--http.listen", listeners]).endswith(place)


def bounded(kind: type, **bounds: Any) -> Any:
    return Annotated[kind, msgspec.Meta(**bounds)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (bounded(int, ge=1024, le=1 << 20), "a whole number from 1024 to 1048576"),
        (bounded(int, ge=0, le=2**62), "a whole number from 0 to 4611686018427387904"),
        (bounded(int, gt=999_999, lt=10_000_000), "a whole number more than 999999, less than 10000000"),
        (bounded(float, ge=1e6), "a number at least 1000000"),
        (bounded(float, gt=0, le=33_554_432.5), "a number more than 0, at most 33554432.5"),
        (bounded(float, ge=0.001, le=86_400.0), "a number from 0.001 to 86400"),
        (bounded(int, le=0), "a whole number at most 0"),
    ],
)
def test_bounds_are_said_in_full(kind: Any, text: str) -> None:
    assert expected(kind) == text

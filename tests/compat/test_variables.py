"""Settings from environment variables, for whatever tool."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.compat.variables import Variable, settings_from, unchanged, usage_of
from kubesonar.config import ConfigError


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    tries: int = 3
    pause: float = 2.5
    loud: bool = False
    level: int = 20


def whole(given: str) -> int:
    if not given.isdigit():
        raise ValueError("a whole number")
    return int(given)


VARIABLES = (
    Variable("NAME", "name", unchanged, "who it is"),
    Variable("OLD_NAME", "name", unchanged, "the same, where NAME is not set"),
    Variable("TRIES", "tries", whole, "how often"),
    Variable("PAUSE", "pause", float, "how long"),
    Variable("LOUD", "loud", bool, "speaks up"),
    Variable("LEVEL", "level", whole, "what is logged", "info"),
)


def test_the_first_of_two_variables_counts_and_an_empty_one_is_unset() -> None:
    assert settings_from(Settings, VARIABLES, {"NAME": "", "OLD_NAME": "b"}) == Settings(name="b")
    assert settings_from(Settings, VARIABLES, {"NAME": "a", "OLD_NAME": "b", "TRIES": "7"}) == Settings(
        name="a", tries=7
    )


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, "NAME is not set, expected who it is"),
        ({"NAME": "a", "TRIES": "x" * 100}, f'TRIES: got "{"x" * 80}", expected a whole number'),
    ],
)
def test_what_does_not_fit_is_one_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings_from(Settings, VARIABLES, environ)
    assert str(refused.value) == sentence


def test_the_help_shows_defaults_that_are_neither_empty_nor_switches() -> None:
    shown = [line.split(None, 1)[1] for line in usage_of("x", Settings, VARIABLES).splitlines()[4:]]
    assert shown == [
        "who it is",
        "the same, where NAME is not set",
        "how often [3]",
        "how long [2.5s]",
        "speaks up",
        "what is logged [info]",
    ]

"""Settings from environment variables, as the older tools are configured: one table of variables for each tool.

Used by the settings of every room and, for --help, by `program`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from kubesonar.config import ConfigError
from kubesonar.model import mask_userinfo

_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: the field of the settings that it sets, the reader of its text (raises ValueError with
    what is expected, or ConfigError), and its meaning. An empty variable counts as unset. `default` is how the help
    shows the default, where the field's own value does not show it."""

    name: str
    field: str
    read: Callable[[str], Any]
    help: str
    default: str = ""


def settings_from(settings: type[_Settings], variables: Sequence[Variable], environ: Mapping[str, str]) -> _Settings:
    """Return the settings that `environ` gives. Of two variables for one field the first that is set counts. Raises
    ConfigError for the first value that does not fit and for the first required field that no variable sets."""
    given: dict[str, Any] = {}
    for variable in variables:
        if variable.field not in given and environ.get(variable.name):
            given[variable.field] = _value(variable, environ[variable.name])
    for field in msgspec.structs.fields(settings):
        if field.required and field.name not in given:
            missing = next(variable for variable in variables if variable.field == field.name)
            raise ConfigError(f"{missing.name} is not set, expected {missing.help}")
    return settings(**given)


def usage_of(program: str, settings: type[msgspec.Struct], variables: Sequence[Variable]) -> str:
    """Return the text of --help: every variable, its meaning, and its default in brackets unless that is empty or
    false."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(settings)}
    width = max(len(variable.name) for variable in variables)
    rows = [
        f"  {variable.name:<{width}}  {variable.help}{_shown(variable.default or defaults[variable.field])}"
        for variable in variables
    ]
    return "\n".join(
        [f"usage: kubesonar {program}", "", "It takes no arguments; these environment variables:", "", *rows, ""]
    )


def unchanged(given: str) -> str:
    """Return the text as it is."""
    return given


def _value(variable: Variable, given: str) -> Any:
    try:
        return variable.read(given)
    except (ValueError, ConfigError) as error:
        raise ConfigError(f'{variable.name}: got "{mask_userinfo(given)[:80]}", expected {error}') from None


def _shown(default: Any) -> str:
    if isinstance(default, bool) or default in ("", (), None, msgspec.NODEFAULT):
        return ""
    words = default if isinstance(default, tuple) else (default,)
    text = ",".join(word if isinstance(word, str) else f"{word:g}" for word in words)
    return f" [{text}s]" if isinstance(default, float) else f" [{text}]"

"""Merges the sources of a configuration into one tree."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, get_type_hints

import msgspec

from kubesonar.config.errors import ConfigError
from kubesonar.config.reference import help_text
from kubesonar.config.schema import CONFIG_ENV, CONFIG_FLAG, Option, Schema, section_of
from kubesonar.config.sources import ConfigSource, from_environ, from_file, from_flags, split_flags

T = TypeVar("T", bound=msgspec.Struct)


class Loaded(msgspec.Struct, Generic[T], frozen=True):
    """The effective tree, and the source of each key that was given: "file:…", "environment variable …", "flag …"."""

    tree: T
    origins: dict[str, str]


def from_command_line(
    schema: type[T], flags: Sequence[str], environ: Mapping[str, str], *, program: str, summary: str
) -> Loaded[T]:
    """Return the effective tree of a program that is started with `flags`.

    Raises SystemExit: 0 after the help text, 2 after the sentence of a ConfigError.
    """
    if "--help" in flags or "-h" in flags:
        sys.stdout.write(help_text(schema, program, summary))
        raise SystemExit(0)
    try:
        return resolve(schema, flags, environ)
    except ConfigError as error:
        sys.stderr.write(f"{program}: {error}\n")
        raise SystemExit(2) from error


def resolve(schema: type[T], flags: Sequence[str], environ: Mapping[str, str]) -> Loaded[T]:
    """Return the effective tree with the source of each key.

    Defaults come first, then the files named by --config or, without it, by KUBESONAR_CONFIG, then the environment,
    then flags. A later source overrides an earlier one, key by key. Raises ConfigError for an unknown key, a bad value,
    a missing one, or values that do not go together.
    """
    table = Schema(schema)
    given: dict[str, ConfigSource] = {}
    named = [text for flag, text in split_flags(flags) if flag == CONFIG_FLAG] or [environ.get(CONFIG_ENV, "")]
    for path in filter(None, named):
        given.update(from_file(table, path))
    given.update(from_environ(table, environ))
    given.update(from_flags(table, flags))
    tree: T = _built(schema, (), table, given)
    return Loaded(tree, {key: one.origin for key, one in given.items()})


def _built(struct: type[T], path: tuple[str, ...], table: Schema, given: Mapping[str, ConfigSource]) -> T:
    hints = get_type_hints(struct, include_extras=True)
    values: dict[str, Any] = {}
    for name in struct.__struct_fields__:
        section = section_of(hints[name])
        below = (*path, name)
        if section is not None:
            values[name] = _built(section, below, table, given)
        else:
            values[name] = _value(table.options[".".join(below)], given)
    try:
        return struct(**values)
    except ValueError as error:
        where = ".".join(path) or "the configuration"
        raise ConfigError(f"{where}: {error}{_origins(path, given)}") from error


def _value(option: Option, given: Mapping[str, ConfigSource]) -> Any:
    if option.key in given:
        return given[option.key].value
    if option.default is msgspec.NODEFAULT:
        raise ConfigError(f"{option.key} is missing: give it in a file, by {option.env} or by {option.flag}")
    return option.default


def _origins(path: tuple[str, ...], given: Mapping[str, ConfigSource]) -> str:
    prefix = "".join(f"{name}." for name in path)
    found = [f"{key} from {one.origin}" for key, one in given.items() if key.startswith(prefix)]
    return f" ({'; '.join(found)})" if found else ""

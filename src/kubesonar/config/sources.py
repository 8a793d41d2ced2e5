"""Reads each source of a configuration: checked values by key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kubesonar.config.errors import ConfigError, bad_value, unknown
from kubesonar.config.schema import COMMAND_ENVS, CONFIG_ENV, CONFIG_FLAG, ENV_PREFIX, Option, Schema
from kubesonar.config.values import convert, expected, from_text
from kubesonar.config.yamltext import YAML_LIMIT, read_document
from kubesonar.model import mask_userinfo

SERVICE_LINK = re.compile(r"KUBESONAR\w*?_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
"""Variables that are no options: Kubernetes sets them in every container of a namespace that has a Service whose name
begins with "kubesonar" (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)."""


class ConfigSource(msgspec.Struct, frozen=True):
    """A checked value, and the source that gave it."""

    value: Any
    origin: str


def from_file(schema: Schema, path: str) -> Iterator[tuple[str, ConfigSource]]:
    """Yield the values in a YAML file. Raises ConfigError."""
    origin = f"file:{path}"
    tree = _read(path, origin)
    if tree is not None:
        yield from _walk(schema, tree, (), origin)


def from_environ(schema: Schema, environ: Mapping[str, str]) -> Iterator[tuple[str, ConfigSource]]:
    """Yield the values of the variables KUBESONAR_*. Raises ConfigError, also for a variable of no option."""
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or name in (CONFIG_ENV, *COMMAND_ENVS):
            continue
        option = schema.by_env.get(name)
        if SERVICE_LINK.fullmatch(name) and (option is None or re.match("(tcp|udp|sctp)://", environ[name])):
            continue
        if option is None:
            raise unknown("environment variable", name, schema.by_env)
        yield option.key, _from_text(option, [environ[name]], f"environment variable {name}")


def from_flags(schema: Schema, flags: Sequence[str]) -> Iterator[tuple[str, ConfigSource]]:
    """Yield the values of the flags, except --config. Raises ConfigError."""
    given: dict[str, list[str]] = {}
    for flag, text in split_flags(flags):
        if flag != CONFIG_FLAG:
            given.setdefault(flag.removeprefix("--"), []).append(text)
    for key, texts in given.items():
        option = schema.options.get(key)
        if option is None:
            raise unknown("flag", f"--{key}", [known.flag for known in schema.options.values()])
        yield key, _from_text(option, texts, f"flag {option.flag}")


def split_flags(flags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield flag and text of each "--flag text" and "--flag=text". Raises ConfigError for anything else."""
    rest = iter(flags)
    for word in rest:
        flag, equals, text = word.partition("=")
        if not flag.startswith("--") or flag == "--":
            raise ConfigError(
                f'unexpected argument "{mask_userinfo(word)[:80]}", expected flags such as --section.field VALUE'
            )
        if not equals:
            following = next(rest, None)
            if following is None or following.startswith("--"):
                raise ConfigError(f"flag {flag} has no value, expected {flag} VALUE or {flag}=VALUE")
            text = following
        yield flag, text


def _read(path: str, origin: str) -> object:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib costs an agent 0.3 MiB)
            if os.fstat(file.fileno()).st_size > YAML_LIMIT or len(data := file.read(YAML_LIMIT + 1)) > YAML_LIMIT:
                raise ConfigError(f"{origin} is larger than {YAML_LIMIT} bytes")
        return read_document(data)
    except OSError as error:
        raise ConfigError(f"{origin} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{origin} {error}") from error


def _walk(schema: Schema, tree: object, path: tuple[str, ...], origin: str) -> Iterator[tuple[str, ConfigSource]]:
    if not isinstance(tree, dict):
        raise bad_value(".".join(path) or "the configuration", origin, tree, "a mapping of keys to values")
    for name, below in tree.items():
        if not isinstance(name, str):
            raise unknown("key", ".".join((*path, repr(name))), (), origin)
        key = ".".join((*path, name))
        if (option := schema.options.get(key)) is not None:
            yield key, ConfigSource(_checked(option, below, origin, text=False), origin)
        elif key in schema.sections:
            if below is not None:
                yield from _walk(schema, below, (*path, name), origin)
        else:
            raise unknown("key", key, [*schema.options, *schema.sections], origin)


def _from_text(option: Option, texts: list[str], origin: str) -> ConfigSource:
    try:
        raw = from_text(option.type, texts)
    except ValueError as error:
        raise ConfigError(f"{option.key} ({origin}): what was given {error}") from error
    return ConfigSource(_checked(option, raw, origin, text=True), origin)


def _checked(option: Option, raw: object, origin: str, *, text: bool) -> Any:
    try:
        return convert(option.type, raw, text=text)
    except ValueError as error:
        inside = f" ({error})" if str(error) else ""
        raise bad_value(option.key, origin, raw, expected(option.type) + inside) from error

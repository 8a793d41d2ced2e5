"""Reads a schema as a flat table of options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

ENV_PREFIX = "KUBESONAR_"
CONFIG_ENV = "KUBESONAR_CONFIG"
CONFIG_FLAG = "--config"

COLLECTOR_ENV = "KUBESONAR_COLLECTOR"
TOKEN_FILE_ENV = "KUBESONAR_TOKEN_FILE"
CA_FILE_ENV = "KUBESONAR_CA_FILE"
COMMAND_ENVS = (COLLECTOR_ENV, TOKEN_FILE_ENV, CA_FILE_ENV)
"""Variables of the commands for people. A program that runs in the same pod passes over them."""


class Option(msgspec.Struct, frozen=True):
    """One leaf of a schema.

    `type` keeps its `Annotated` constraints; `default` is `msgspec.NODEFAULT` where a value must be given.
    """

    path: tuple[str, ...]
    type: Any
    default: Any
    description: str

    @property
    def key(self) -> str:
        """The dotted path that messages and flags use."""
        return ".".join(self.path)

    @property
    def flag(self) -> str:
        """The flag that sets it."""
        return f"--{self.key}"

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + "_".join(self.path).upper()


class Schema:
    """The options of a tree of Structs, by key and by environment variable."""

    def __init__(self, root: type[msgspec.Struct]) -> None:
        """Raises TypeError where two options share an environment variable, which is a bug in the schema."""
        self.root = root
        self.options = {option.key: option for option in options(root)}
        self.sections = set(sections(root))
        self.by_env = {option.env: option for option in self.options.values()}
        if len(self.by_env) < len(self.options) or CONFIG_ENV in self.by_env:
            raise TypeError(f"two options of {root.__name__} share an environment variable")


def options(struct: type[msgspec.Struct], path: tuple[str, ...] = (), base: Any = None) -> Iterator[Option]:
    """Yield every option below `struct`, in order. `base` is the default that a parent gives for it, if any."""
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        default = getattr(base, field.name) if base is not None else _default(field)
        section = section_of(hints[field.name])
        if section is not None:
            below = default if isinstance(default, msgspec.Struct) else None
            yield from options(section, (*path, field.name), below)
        else:
            kind = hints[field.name]
            yield Option((*path, field.name), kind, default, description_of(kind))


def sections(struct: type[msgspec.Struct], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the dotted path of every section below `struct`, with or without options."""
    for name, kind in get_type_hints(struct, include_extras=True).items():
        section = section_of(kind)
        if section is not None and name in struct.__struct_fields__:
            yield ".".join((*path, name))
            yield from sections(section, (*path, name))


def section_of(kind: Any) -> type[msgspec.Struct] | None:
    """Return the Struct behind a type, None where the type is a leaf."""
    bare = plain_type(kind)
    return bare if isinstance(bare, type) and issubclass(bare, msgspec.Struct) else None


def plain_type(kind: Any) -> Any:
    """Return a type without its `Annotated` wrapping."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def metas(kind: Any) -> tuple[msgspec.Meta, ...]:
    """Return the constraints and descriptions of a type, inner ones first."""
    if get_origin(kind) is not Annotated:
        return ()
    return tuple(extra for extra in get_args(kind)[1:] if isinstance(extra, msgspec.Meta))


def description_of(kind: Any) -> str:
    """Return the outermost description of a type, empty where it has none."""
    return next((meta.description for meta in reversed(metas(kind)) if meta.description), "")


def is_duration(kind: Any) -> bool:
    """Return whether a type is a duration in seconds (`kubesonar.model.Seconds`)."""
    return any((meta.extra or {}).get("unit") == "seconds" for meta in metas(kind))


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default

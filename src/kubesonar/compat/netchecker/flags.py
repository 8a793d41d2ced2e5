"""Command lines as Go's package flag reads them (https://pkg.go.dev/flag#hdr-Command_line_flag_syntax)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from kubesonar.compat.variables import unchanged
from kubesonar.config import ConfigError

_Settings = TypeVar("_Settings", bound=msgspec.Struct)

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_WORDS = _TRUE | {"0", "f", "F", "false", "FALSE", "False"}
_LARGEST = 2**63 - 1


class Flag(msgspec.Struct, frozen=True):
    """A flag: its name, which is that of the field it sets, if any, with hyphens for underscores; the reader of its
    text (raises ValueError with what is expected); and its meaning. A `bare` one needs no value: it is a boolean."""

    name: str
    read: Callable[[str], Any]
    help: str
    bare: bool = False


def boolean(given: str) -> bool:
    """Read what Go's strconv.ParseBool reads. Raises ValueError."""
    if given not in _WORDS:
        raise ValueError("expected true or false")
    return given in _TRUE


def whole_number(least: int, most: int = _LARGEST) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`, also hexadecimal ("0x10"), octal and binary ones."""

    def read(given: str) -> int:
        value = _integer(given)
        if value is None or not least <= value <= most:
            raise ValueError(f"expected a whole number from {least}" + (f" to {most}" if most < _LARGEST else ""))
        return value

    return read


def _integer(given: str) -> int | None:
    for base in (0, 8):  # "010" is 8, as in Go
        try:
            return int(given, base)
        except ValueError:
            continue
    return None


LOG_FLAGS = (
    Flag("logtostderr", boolean, "accepted: the log goes to standard error in any case", bare=True),
    Flag("alsologtostderr", boolean, "accepted: the log goes to standard error in any case", bare=True),
    Flag("v", whole_number(-(2**31), 2**31 - 1), "how much is logged: from 5 on every report"),
    Flag("vmodule", unchanged, "accepted, sets nothing"),
    Flag("stderrthreshold", unchanged, "accepted, sets nothing"),
    Flag("log_dir", unchanged, "accepted: no file is written"),
    Flag("log_backtrace_at", unchanged, "accepted, sets nothing"),
)
"""glog's flags, which every command line of the older tool has."""


class LogFlags(msgspec.Struct, frozen=True, kw_only=True):
    """The settings by glog's flags; the others are read and set nothing."""

    v: int = 0


def settings_of(
    program: str, settings: type[_Settings], flags: Sequence[Flag], arguments: Sequence[str]
) -> _Settings | None:
    """Return the settings that the command line gives, or None after it asked for help, which is printed. A later value
    of a flag wins; reading ends at "--" and at the first argument that is no flag. Raises ConfigError."""
    known = {flag.name: flag for flag in flags}
    given: dict[str, Any] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        name, equals, value = rest.pop(0).removeprefix("-").removeprefix("-").partition("=")
        if name in ("h", "help"):
            sys.stdout.write(_usage(program, settings, flags))
            return None
        flag = known.get(name)
        if flag is None:
            raise ConfigError(f"flag provided but not defined: -{name[:80]}; -help lists those that are")
        if not equals and not flag.bare:
            if not rest:
                raise ConfigError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        given[name.replace("-", "_")] = _value(flag, value if equals or not flag.bare else "true")
    return settings(**{name: value for name, value in given.items() if name in settings.__struct_fields__})


def _value(flag: Flag, given: str) -> Any:
    try:
        return flag.read(given)
    except ValueError as error:
        raise ConfigError(f'invalid value "{given[:80]}" for flag -{flag.name}: {error}') from None


def _usage(program: str, settings: type[msgspec.Struct], flags: Sequence[Flag]) -> str:
    defaults = {field.name: field.default for field in msgspec.structs.fields(settings)}
    rows = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        default = defaults.get(flag.name.replace("-", "_"), "")
        shown = "" if default in ("", False, 0) else f" (default {default})"
        rows.append(f"  -{flag.name}\n    \t{flag.help}{shown}\n")
    return f"Usage of kubesonar {program}:\n" + "".join(rows)

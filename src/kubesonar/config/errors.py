"""The exception of a configuration that cannot be used, and its sentences."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.model import clip, mask_userinfo, printable

GIVEN_LIMIT = 80
"""Longest piece of a given value that an error repeats (characters)."""


class ConfigError(Exception):
    """A configuration that cannot be used.

    The text is one sentence for the person who wrote it: the key, its source, the given value and what is expected.
    Programs print it and exit with code 2. What it repeats of a value is escaped, without passwords of URLs.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(mask_userinfo(sentence)))


def bad_value(key: str, origin: str, given: object, expected: str) -> ConfigError:
    """Return the error of a value that does not fit."""
    return ConfigError(f"{key} ({origin}): got {quoted(given)}, expected {expected}")


def unknown(what: str, name: str, known: Iterable[str], origin: str = "") -> ConfigError:
    """Return the error of a name that does not exist, with the nearest one that does.

    The value is not repeated, since it may be a secret under a misspelt name.
    """
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    where = f" in {origin}" if origin else ""
    return ConfigError(f"unknown {what} {clip(name, GIVEN_LIMIT)}{where}{hint}")


def quoted(given: object) -> str:
    """Return a value as a sentence repeats it: text in quotes, everything clipped."""
    if given is None:
        return "nothing"
    return f'"{clip(given, GIVEN_LIMIT)}"' if isinstance(given, str) else clip(repr(given), GIVEN_LIMIT)

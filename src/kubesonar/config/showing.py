"""Writes the effective configuration as YAML."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kubesonar.core.encoding import encode_json


def show_config(tree: msgspec.Struct, origins: Mapping[str, str] | None = None) -> str:
    """Return YAML that `resolve` reads back to an equal tree.

    A comment names the source of each value that was given (`Loaded.origins`). Durations are in seconds. Secrets are
    paths of files, so none is shown.
    """
    return "\n".join(_lines(tree, (), origins or {})) + "\n"


def _lines(tree: msgspec.Struct, path: tuple[str, ...], origins: Mapping[str, str]) -> list[str]:
    lines = []
    for name in tree.__struct_fields__:
        value = getattr(tree, name)
        indent = "  " * len(path)
        if isinstance(value, msgspec.Struct):
            lines += [f"{indent}{name}:", *_lines(value, (*path, name), origins)]
        else:
            origin = origins.get(".".join((*path, name)))
            comment = f"  # {origin}" if origin else ""
            lines.append(f"{indent}{name}: {encode_json(value).decode()}{comment}")
    return lines

"""Lists the options of a schema, for the help text and the documentation."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.config.schema import CONFIG_ENV, CONFIG_FLAG, Option, Schema, is_duration
from kubesonar.config.values import expected
from kubesonar.core.encoding import encode_json


class OptionRow(msgspec.Struct, frozen=True):
    """One option in words. `default` is empty where a value must be given."""

    key: str
    type: str
    default: str
    env: str
    flag: str
    description: str


def describe(schema: type[msgspec.Struct]) -> list[OptionRow]:
    """Return every option of a schema, in its order."""
    return [
        OptionRow(option.key, expected(option.type), _default(option), option.env, option.flag, option.description)
        for option in Schema(schema).options.values()
    ]


def help_text(schema: type[msgspec.Struct], program: str, summary: str) -> str:
    """Return the text that `--help` prints."""
    import textwrap

    lines = [f"usage: {program} [{CONFIG_FLAG} FILE] [--section.field VALUE …]", "", *textwrap.wrap(summary, 100), ""]
    lines += [f"  {CONFIG_FLAG} FILE  a YAML file of sections and fields", f"      environment: {CONFIG_ENV}"]
    for row in describe(schema):
        lines.append(f"  {row.flag} VALUE")
        lines += textwrap.wrap(row.description, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
        default = f"default {row.default}" if row.default else "must be given"
        fact = f"{row.type}; {default}; environment: {row.env}"
        lines += textwrap.wrap(fact, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines) + "\n"


def markdown(rows: Iterable[OptionRow]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| key | default | meaning | expected | environment variable |", "|---|---|---|---|---|"]
    for row in rows:
        default = f"`{row.default}`" if row.default else "must be given"
        cells = [f"`{row.key}`", default, row.description, _literal(row.type), f"`{row.env}`"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    """Return a text in which Markdown sees no links and no emphasis: patterns hold brackets and stars."""
    for mark in "[]*":
        text = text.replace(mark, f"\\{mark}")
    return text


def _default(option: Option) -> str:
    if option.default is msgspec.NODEFAULT:
        return ""
    if is_duration(option.type) and isinstance(option.default, int | float):
        return f"{option.default:.15g}s"
    text = encode_json(option.default).decode()
    return text.strip('"') or '""' if isinstance(option.default, str) else text

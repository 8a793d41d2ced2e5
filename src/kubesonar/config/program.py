"""Configuration as a program meets it: help, the tree, or one sentence and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from kubesonar.config.errors import ConfigError
from kubesonar.config.loading import Loaded, T, resolve
from kubesonar.config.reference import help_text


def from_command_line(
    schema: type[T], flags: Sequence[str], environ: Mapping[str, str], *, program: str, summary: str
) -> Loaded[T]:
    """The effective tree for a program started with `flags`.

    Raises SystemExit: 0 once --help is printed, 2 once a ConfigError's sentence is.
    """
    if "--help" in flags or "-h" in flags:
        sys.stdout.write(help_text(schema, program, summary))
        raise SystemExit(0)
    try:
        return resolve(schema, flags, environ)
    except ConfigError as error:
        sys.stderr.write(f"{program}: {error}\n")
        raise SystemExit(2) from error

"""The configuration of a program that is started: its tree, the help text, or one sentence and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from kubesonar.config.errors import ConfigError
from kubesonar.config.loading import Loaded, T, resolve
from kubesonar.config.reference import help_text


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

"""`kubesonar config show`: the configuration that an agent started here and now would have."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.config import ConfigError, from_command_line, show_config

_SUMMARY = (
    "Prints the configuration that `kubesonar agent` would have with the same file, environment and flags, as YAML."
)


def main(arguments: Sequence[str]) -> int:
    """Print the tree; each value that is not a default is followed by its source."""
    if arguments and not arguments[0].startswith("-") and arguments[0] != "show":
        raise ConfigError(f'unknown command "config {arguments[0][:40]}", expected config show')
    flags = arguments[1:] if arguments and arguments[0] == "show" else arguments
    loaded = from_command_line(AgentOptions, flags, os.environ, program="kubesonar config show", summary=_SUMMARY)
    sys.stdout.write(show_config(loaded.tree, loaded.origins))
    return 0

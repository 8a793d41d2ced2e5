"""Configuration enters once: defaults, a YAML file, the environment and flags become one tree of frozen Structs.

A schema is a `msgspec.Struct` whose fields are options or, where the type is itself a Struct, sections. Its fields'
`msgspec.Meta(description=…)` are what the help text and docs/configuration.md say.
"""

from kubesonar.config.errors import ConfigError
from kubesonar.config.loading import Loaded, load_config, resolve
from kubesonar.config.program import from_command_line
from kubesonar.config.reference import OptionRow, describe, help_text, markdown
from kubesonar.config.showing import show_config
from kubesonar.config.yamltext import read_yaml

__all__ = [
    "ConfigError",
    "Loaded",
    "OptionRow",
    "describe",
    "from_command_line",
    "help_text",
    "load_config",
    "markdown",
    "read_yaml",
    "resolve",
    "show_config",
]

"""Configuration: defaults, a YAML file, the environment and flags become one tree of frozen Structs.

In: a schema, a `msgspec.Struct` whose fields are options or, where their type is itself a Struct, sections; flags, the
environment and files. Out: the tree, or a `ConfigError` whose one sentence names the key; and the help text and
docs/configuration.md, from the fields' `msgspec.Meta(description=…)`. Read `loading.py` first.
"""

from kubesonar.config.errors import ConfigError
from kubesonar.config.loading import Loaded, from_command_line, resolve
from kubesonar.config.reference import OptionRow, describe, help_text, markdown
from kubesonar.config.schema import CA_FILE_ENV, COLLECTOR_ENV, TOKEN_FILE_ENV
from kubesonar.config.showing import show_config
from kubesonar.config.yamltext import read_yaml

__all__ = [
    "CA_FILE_ENV",
    "COLLECTOR_ENV",
    "TOKEN_FILE_ENV",
    "ConfigError",
    "Loaded",
    "OptionRow",
    "describe",
    "from_command_line",
    "help_text",
    "markdown",
    "read_yaml",
    "resolve",
    "show_config",
]

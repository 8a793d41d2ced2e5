"""Arguments of the commands that argparse reads."""

from __future__ import annotations

import argparse
from typing import NoReturn

from kubesonar.config import ConfigError


class CommandParser(argparse.ArgumentParser):
    """Refuses wrong usage as every command does: by a ConfigError whose sentence begins with the argument, without the
    list of all arguments, which --help prints."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError."""
        raise ConfigError(message.removeprefix("argument "))

"""Standard output and error as people read them: nothing that a terminal obeys gets through, and output that cannot be
written is told from every other trouble."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from typing import TextIO

from kubesonar.model import printable


class OutputError(Exception):
    """Standard output cannot be written; the cause is the OSError. It is no OSError itself, because commands, and the
    libraries that parse their arguments, take those for something else."""


class OutputStream(io.TextIOBase):
    """Writes to `raw`, standard output. Raises OutputError where that cannot be written, and from then on at each call:
    what parses arguments swallows the first one. What was not written is dropped, so that the interpreter does not
    complain at its end."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw
        self._failed: OSError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of `raw`."""
        return self.raw.encoding

    def write(self, text: str) -> int:
        """Write `text`; return the number of its characters."""
        self._do(lambda: self.raw.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush `raw`."""
        self._do(self.raw.flush)

    def close(self) -> None:
        """Flush `raw`, which stays open, and report nothing: the interpreter closes each stream that it forgets, when
        `raw` may be closed already, and would print what that raises (Python 3.13)."""
        if not self.raw.closed:
            with contextlib.suppress(OutputError):
                self.flush()

    def isatty(self) -> bool:
        """Return whether `raw` is a terminal."""
        return self.raw.isatty()

    def fileno(self) -> int:
        """Return the descriptor of `raw`."""
        return self.raw.fileno()

    def _do(self, act: Callable[[], object]) -> None:
        if self._failed is None:
            try:
                act()
            except OSError as error:
                self._failed = error
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.raw.fileno())
        if self._failed is not None:
            self._report(self._failed)

    def _report(self, error: OSError) -> None:
        raise OutputError(error.strerror) from error


class EscapingStream(OutputStream):
    """Writes to `raw`, standard output, with control, bidirectional and other unprintable characters escaped, save line
    breaks and tabs. What draws on a terminal escapes its texts itself and writes to an `OutputStream`."""

    def write(self, text: str) -> int:
        """Write `text`; return the number of its characters."""
        super().write(printable(text, _escape))
        return len(text)


class ErrorStream(EscapingStream):
    """Writes to `raw`, standard error, as `EscapingStream` does. Where it cannot be written, nobody can be told: what
    the command does and its exit code stay the same."""

    def _report(self, error: OSError) -> None:
        """Report nothing."""


def _escape(char: str) -> str:
    return char if char in "\n\t" else repr(char)[1:-1]

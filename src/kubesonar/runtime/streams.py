"""Standard output and error as people read them: nothing that a terminal obeys gets through."""

from __future__ import annotations

import io
from typing import TextIO

from kubesonar.model import printable


class EscapingStream(io.TextIOBase):
    """Writes to `raw`, with control, bidirectional and other unprintable characters escaped, save line breaks and tabs.
    What draws on a terminal escapes its texts itself and writes to `raw`."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of `raw`."""
        return self.raw.encoding

    def write(self, text: str) -> int:
        """Write `text`; return the number of its characters."""
        self.raw.write(printable(text, _escape))
        return len(text)

    def flush(self) -> None:
        """Flush `raw`."""
        self.raw.flush()

    def isatty(self) -> bool:
        """Return whether `raw` is a terminal."""
        return self.raw.isatty()

    def fileno(self) -> int:
        """Return the descriptor of `raw`."""
        return self.raw.fileno()


def _escape(char: str) -> str:
    return char if char in "\n\t" else repr(char)[1:-1]

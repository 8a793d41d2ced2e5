"""Writes the log, as text or JSON, and logs conditions when they change instead of each time they are seen."""

from __future__ import annotations

import logging
import sys
import time
from typing import Annotated, Any, Literal, TextIO

import msgspec

from kubesonar.core.encoding import encode_json
from kubesonar.model import mask_userinfo, printable

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}
_SUBJECTS = 1024


class LogOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The log of the process, to standard error."""

    format: Annotated[
        Literal["text", "json"], msgspec.Meta(description="text for people, json (one object a line) for machines.")
    ] = "text"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], msgspec.Meta(description="The least level that is logged.")
    ] = "info"


def set_up(options: LogOptions, stream: TextIO | None = None) -> None:
    """Send the whole log to `stream` (standard error). To be called once, by a program."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if options.format == "json" else TextFormatter())
    logging.raiseExceptions = False  # a log that cannot be written must not write more
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options.level.upper())


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339), level, logger, message, what `extra` held, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        line = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return mask_userinfo(encode_json(line, enc_hook=str).decode())


class TextFormatter(logging.Formatter):
    """Time, level, message and fields on one line; a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        fields = "".join(f" {name}={_word(value)}" for name, value in fields_of(record).items())
        line = f"{timestamp(record.created)} {record.levelname:<7} {printable(record.getMessage())}{fields}"
        traceback = self.formatException(record.exc_info).split("\n") if record.exc_info else ()
        return mask_userinfo("\n".join([line, *map(printable, traceback)]))


def timestamp(seconds: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what `extra` held."""
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


class Changes:
    """Logs a subject's condition when it changes, with how often the one before was seen. At most 1,024 subjects are
    remembered; beyond, the one that changed longest ago is forgotten."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._seen: dict[str, tuple[str, int]] = {}

    def note(self, subject: str, condition: str, level: int = logging.WARNING, **fields: object) -> bool:
        """Take note of a subject's condition: one clause, empty where all is well, as a new subject is taken to be.
        Return whether it was logged. A subject that is well again is logged at level info."""
        before, times = self._seen.get(subject, ("", 0))
        if condition == before:
            if subject in self._seen:
                self._seen[subject] = (before, times + 1)
            return False
        self._seen.pop(subject, None)
        if condition:
            self._seen[subject] = (condition, 1)
            if len(self._seen) > _SUBJECTS:
                del self._seen[next(iter(self._seen))]
        extra = dict(fields) | ({"before": before, "times": times} if before else {})
        self._log.log(level if condition else logging.INFO, "%s: %s", subject, condition or "well again", extra=extra)
        return True


def _word(value: object) -> str:
    text = printable(str(value))
    return f'"{text}"' if " " in text or not text else text

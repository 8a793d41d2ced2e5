"""Logs say what changed, in one line that nobody outside can forge."""

from __future__ import annotations

import io
import logging
import re

import msgspec
import pytest

from kubesonar.runtime.logs import Changes, JsonFormatter, LogOptions, TextFormatter, set_up, timestamp

Lines = tuple[logging.Logger, io.StringIO]


def logger_to(stream: io.StringIO, formatter: logging.Formatter) -> logging.Logger:
    logger = logging.Logger("kubesonar.test")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return logger


@pytest.fixture
def text() -> Lines:
    stream = io.StringIO()
    return logger_to(stream, TextFormatter()), stream


@pytest.fixture
def json() -> Lines:
    stream = io.StringIO()
    return logger_to(stream, JsonFormatter()), stream


@pytest.fixture
def root() -> logging.Logger:
    return logging.getLogger()


def test_json_holds_what_was_said_and_the_fields(json: Lines) -> None:
    log, stream = json
    log.warning("lost %d", 3, extra={"peer": "node-2", "error": ValueError("x")})
    line = msgspec.json.decode(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    expected = {"level": "warning", "logger": "kubesonar.test", "message": "lost 3", "peer": "node-2", "error": "x"}
    assert line == expected


def test_a_traceback_is_part_of_the_json(json: Lines) -> None:
    log, stream = json
    try:
        raise KeyError("lost")
    except KeyError:
        log.exception("crashed")
    assert "KeyError: 'lost'" in msgspec.json.decode(stream.getvalue())["traceback"]


def test_text_is_one_line_whatever_it_holds(text: Lines) -> None:
    log, stream = text
    log.info("from %s", "a\n2026-01-01 ERROR forged\x1b[31m", extra={"peer": "b c", "n": 1})
    (line,) = stream.getvalue().splitlines()
    assert r"from a\n2026-01-01 ERROR forged\x1b[31m" in line
    assert line.endswith('peer="b c" n=1')


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_no_password_of_a_url_is_logged(formatter: logging.Formatter) -> None:
    stream = io.StringIO()
    log = logger_to(stream, formatter)
    try:
        raise KeyError("http://user:word@traceback")
    except KeyError:
        log.exception("http://user:word@%s", "message", extra={"peer": "http://user:word@field"})
    assert ":word" not in stream.getvalue()
    assert all(f"http://***@{where}" in stream.getvalue() for where in ("message", "field", "traceback"))


def test_times_are_utc() -> None:
    assert timestamp(0.25) == "1970-01-01T00:00:00.250Z"


def test_only_changes_are_logged_with_what_was_before(json: Lines) -> None:
    log, stream = json
    changes = Changes(log)
    said = [changes.note("roster", condition) for condition in ("", "", "gone", "gone", "gone", "empty", "", "")]
    assert said == [False, False, True, False, False, True, True, False]
    lines = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["roster: gone", "roster: empty", "roster: well again"]
    assert (lines[1]["before"], lines[1]["times"]) == ("gone", 3)
    assert [line["level"] for line in lines] == ["warning", "warning", "info"]


def test_what_is_remembered_is_bounded(text: Lines) -> None:
    changes = Changes(text[0])
    for number in range(5000):
        changes.note(f"peer {number}", "bad")
    assert [changes.note(f"peer {number}", "") for number in range(5000)] == [False] * (5000 - 1024) + [True] * 1024


def test_set_up_replaces_what_was_there(root: logging.Logger) -> None:
    stream = io.StringIO()
    set_up(LogOptions(format="json", level="warning"), stream)
    logging.getLogger("kubesonar.x").info("quiet")
    logging.getLogger("kubesonar.x").warning("loud")
    assert [msgspec.json.decode(line)["message"] for line in stream.getvalue().splitlines()] == ["loud"]

"""Scenarios: plain text, one command a line. `#` begins a comment; a line that begins with `>` is what an earlier run
said at that place (docs/simulate.md lists the commands)."""

from __future__ import annotations

import re

import msgspec

from kubesonar.model import State

MOST_MEMBERS = 10_000
LONGEST = 7 * 86_400.0
"""Longest time that one command may take (s)."""


class ScenarioError(Exception):
    """A scenario that cannot be played; the text names the line."""


class ScenarioCommand(msgspec.Struct, frozen=True):
    """One command: its line's number (from 1), its text, verb and words."""

    number: int
    text: str
    verb: str
    words: tuple[str, ...]


class Scenario(msgspec.Struct, frozen=True):
    """The lines as they were written, without those of earlier runs; the commands; and the transcript given."""

    lines: tuple[str, ...]
    commands: tuple[ScenarioCommand, ...]
    given: tuple[str, ...]

    @property
    def title(self) -> str:
        """The first line's comment."""
        first = self.lines[0] if self.lines else ""
        return first.removeprefix("#").strip() if first.startswith("#") else ""


WORDS: dict[str, tuple[int, int, str]] = {
    "seed": (1, 1, "NUMBER"),
    "set": (2, 2, "OPTION VALUE"),
    "members": (1, 3, "NUMBER [zones NUMBER]"),
    "loss": (1, 1, "SHARE%"),
    "delay": (1, 2, "TIME [JITTER]"),
    "run": (1, 1, "TIME"),
    "start": (1, 99, "MEMBER …"),
    "kill": (1, 99, "MEMBER …"),
    "leave": (1, 99, "MEMBER …"),
    "pause": (1, 99, "MEMBER …"),
    "resume": (1, 99, "MEMBER …"),
    "off": (1, 99, "MEMBER …"),
    "on": (1, 99, "MEMBER …"),
    "starve": (2, 2, "MEMBER TIME"),
    "jump": (2, 2, "MEMBER TIME"),
    "cut": (1, 99, "MEMBER … or SOURCE>TARGET …"),
    "slow": (2, 2, "SOURCE>TARGET TIME"),
    "split": (1, 99_999, "MEMBER …"),
    "heal": (0, 0, ""),
    "state": (2, 99, "MEMBER STATE [REASON …]"),
    "add": (1, 2, "MEMBER [ZONE]"),
    "remove": (1, 99, "MEMBER …"),
    "lease": (2, 2, "MEMBER mine|other|unknown"),
}
"""The commands: fewest and most words that follow, and what they are."""

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse(text: str) -> Scenario:
    """Return the scenario in a text. Raises ScenarioError."""
    lines, commands, given = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(">"):
            given.append(line)
            continue
        lines.append(line)
        verb, *words = line.partition("#")[0].split() or [""]
        if verb:
            commands.append(_command(number, line, verb, tuple(words)))
    return Scenario(tuple(lines), tuple(commands), tuple(given))


def _command(number: int, text: str, verb: str, words: tuple[str, ...]) -> ScenarioCommand:
    if verb not in WORDS:
        raise ScenarioError(f'line {number}: unknown command "{verb[:40]}", expected one of {", ".join(WORDS)}')
    fewest, most, usage = WORDS[verb]
    if not fewest <= len(words) <= most:
        raise ScenarioError(f'line {number}: "{text.strip()[:60]}" is not of the form {f"{verb} {usage}".strip()}')
    return ScenarioCommand(number, text, verb, words)


def seconds(command: ScenarioCommand, word: str) -> float:
    """Return the seconds of a duration such as 250ms, 5s, 2m, 1h. Raises ScenarioError."""
    found = _TIME.fullmatch(word)
    if found is None or float(found[1]) * _UNITS[found[2]] > LONGEST:
        raise ScenarioError(
            f'line {command.number}: "{word[:40]}" is no time, expected a number with ms, s, m or h, 7 days at most'
        )
    return float(found[1]) * _UNITS[found[2]]


def parse_share(command: ScenarioCommand, word: str) -> float:
    """Return a share such as 2% as 0 to 1. Raises ScenarioError."""
    if not re.fullmatch(r"\d{1,3}(\.\d+)?%", word) or float(word[:-1]) > 100:
        raise ScenarioError(f'line {command.number}: "{word[:40]}" is no share, expected 0% to 100%')
    return float(word[:-1]) / 100


def whole(command: ScenarioCommand, word: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`. Raises ScenarioError."""
    if not re.fullmatch(r"[0-9]{1,18}", word) or not least <= int(word) <= most:
        raise ScenarioError(f'line {command.number}: "{word[:40]}" is no number from {least} to {most}')
    return int(word)


def state(command: ScenarioCommand, word: str) -> State:
    """Return the state of a member that a word names. Raises ScenarioError."""
    found = State(word)
    if found is State.OTHER:
        known = ", ".join(one for one in State if one is not State.OTHER)
        raise ScenarioError(f'line {command.number}: "{word[:40]}" is no state, expected one of {known}')
    return found

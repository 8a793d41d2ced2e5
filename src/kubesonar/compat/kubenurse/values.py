"""From the text of an environment variable to a value, by the older tool's rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import msgspec

from kubesonar.compat.kubenurse.go.duration import parse_duration
from kubesonar.config import ConfigError
from kubesonar.kube.resource import is_namespace
from kubesonar.web.sockets import parse_listen_address

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CHECKS_LIMIT, _NAME_LIMIT = 200, 200
_BUCKETS_LIMIT = 100


class Extra(msgspec.Struct, frozen=True):
    """A check of the operator's own: `name` is the label `type` of its metrics."""

    name: str
    url: str


def namespace(given: str) -> str:
    """Raises ValueError."""
    if not is_namespace(given):
        raise ValueError("the name of a namespace: lower case letters, digits and hyphens, 63 at most")
    return given


def exactly_true(given: str) -> bool:
    """On only for the word "true": "True", "1" and "yes" leave it off."""
    return given == "true"


def not_false(given: str) -> bool:
    """Off only for the word "false"."""
    return given != "false"


def integer(given: str) -> int:
    """Raises ValueError."""
    if not _INTEGER.fullmatch(given):
        raise ValueError("a whole number")
    return int(given)


def span(given: str) -> float:
    """A duration in seconds, 0 or more. Raises ValueError."""
    try:
        seconds = parse_duration(given)
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        raise ValueError('a duration as "5s", "500ms" or "1h30m", not negative')
    return seconds


def parse_period(given: str) -> float:
    """As `span`, and at least 10 ms: more often, rounds would be all that this process does."""
    seconds = span(given)
    if seconds < 0.01:
        raise ValueError('a duration of at least "10ms"')
    return seconds


def buckets(given: str) -> tuple[float, ...]:
    """Raises ValueError."""
    words = given.split(",")
    bounds = tuple(float(word) if _NUMBER.fullmatch(word) else float("nan") for word in words)
    rising = all(low < high for low, high in pairwise(bounds))
    if len(words) > _BUCKETS_LIMIT or not rising or not all(abs(bound) < float("inf") for bound in bounds):
        raise ValueError(f'at most {_BUCKETS_LIMIT} rising numbers as "0.1,0.5,1", without spaces')
    return bounds


def extra_checks(given: str) -> tuple[Extra, ...]:
    """NAME:URL, several joined with a vertical bar; each is cut at its first colon. Raises ValueError."""
    pairs = [entry.partition(":") for entry in given.split("|")]
    checks = tuple(Extra(name, url) for name, _, url in pairs)
    if not all(colon for _, colon, _ in pairs) or any(len(check.name) > _NAME_LIMIT for check in checks):
        raise ValueError(f"NAME:URL, several joined with |, a name of at most {_NAME_LIMIT} characters")
    if len(checks) > _CHECKS_LIMIT:
        raise ValueError(f"at most {_CHECKS_LIMIT} checks")
    return checks


def listen_addresses(given: str) -> tuple[str, ...]:
    """HOST:PORT or unix:PATH, several joined with commas. Raises ValueError."""
    addresses = tuple(given.split(","))
    for address in addresses:
        if not address.startswith("unix:"):
            _check_address(address)
    return addresses


def _check_address(address: str) -> None:
    try:
        parse_listen_address(address)
    except ConfigError:
        expected = "HOST:PORT, [V6]:PORT, :PORT or unix:PATH, HOST an IP address; several joined with commas"
        raise ValueError(expected) from None


def one_of(*words: str) -> Callable[[str], str]:
    """A reader that takes one of `words`, and raises ValueError for any other."""

    def read(given: str) -> str:
        if given not in words:
            raise ValueError(" or ".join(words))
        return given

    return read

"""Readers of environment variables, by the older tool's rules. Each returns the value and raises ValueError with what
is expected."""

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
    """A check that the operator adds; `name` is the label `type` of its metrics."""

    name: str
    url: str


def namespace(given: str) -> str:
    """Read the name of a namespace."""
    if not is_namespace(given):
        raise ValueError("the name of a namespace: lower case letters, digits and hyphens, 63 at most")
    return given


def exactly_true(given: str) -> bool:
    """Return True only for the word "true", not for "True", "1" or "yes"."""
    return given == "true"


def not_false(given: str) -> bool:
    """Return False only for the word "false"."""
    return given != "false"


def integer(given: str) -> int:
    """Read a whole number of at most 18 digits."""
    if not _INTEGER.fullmatch(given):
        raise ValueError("a whole number")
    return int(given)


def span(given: str) -> float:
    """Read a duration of 0 or more; returns seconds."""
    try:
        seconds = parse_duration(given)
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        raise ValueError('a duration as "5s", "500ms" or "1h30m", not negative')
    return seconds


def parse_period(given: str) -> float:
    """Read a duration of at least 10 ms; returns seconds. With less, the process would be busy with rounds alone."""
    seconds = span(given)
    if seconds < 0.01:
        raise ValueError('a duration of at least "10ms"')
    return seconds


def buckets(given: str) -> tuple[float, ...]:
    """Read the upper bounds of a histogram: rising finite numbers, joined with commas."""
    words = given.split(",")
    bounds = tuple(float(word) if _NUMBER.fullmatch(word) else float("nan") for word in words)
    rising = all(low < high for low, high in pairwise(bounds))
    if len(words) > _BUCKETS_LIMIT or not rising or not all(abs(bound) < float("inf") for bound in bounds):
        raise ValueError(f'at most {_BUCKETS_LIMIT} rising numbers as "0.1,0.5,1", without spaces')
    return bounds


def extra_checks(given: str) -> tuple[Extra, ...]:
    """Read NAME:URL, several joined with a vertical bar; each is cut at its first colon."""
    pairs = [entry.partition(":") for entry in given.split("|")]
    checks = tuple(Extra(name, url) for name, _, url in pairs)
    if not all(colon for _, colon, _ in pairs) or any(len(check.name) > _NAME_LIMIT for check in checks):
        raise ValueError(f"NAME:URL, several joined with |, a name of at most {_NAME_LIMIT} characters")
    if len(checks) > _CHECKS_LIMIT:
        raise ValueError(f"at most {_CHECKS_LIMIT} checks")
    return checks


def listen_addresses(given: str) -> tuple[str, ...]:
    """Read HOST:PORT or unix:PATH, several joined with commas."""
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
    """Return a reader that accepts one of `words`."""

    def read(given: str) -> str:
        if given not in words:
            raise ValueError(" or ".join(words))
        return given

    return read

"""Whether the plain targets can be asked at all: told at the start, not as a fault of every probe."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubesonar.config import ConfigError
from kubesonar.core.plan import Target, of_target
from kubesonar.model import Kind
from kubesonar.net.resolve import is_literal
from kubesonar.net.url import parse_url
from kubesonar.probes import dns, http_plan


def refuse_bad(targets: Iterable[Target]) -> None:
    """Raises ConfigError, naming the field, for the first target that no probe could ask, or that is there twice."""
    seen: dict[str, int] = {}
    for number, target in enumerate(targets):
        for field, read in _READERS.get(target.kind, {}).items():
            try:
                read(getattr(target, field))
            except ValueError as error:
                raise ConfigError(f"targets[{number}].{field}: {error}") from None
        before = seen.setdefault(of_target(target).id, number)
        if before != number:
            raise ConfigError(
                f'targets[{number}].name: got "{target.name}", which targets[{before}] of the same kind and path has; '
                "expected a name of its own"
            )


def _literal(address: str) -> None:
    if not is_literal(address):
        raise ValueError(f"a DNS server is an IP address, not {address!r}")


_READERS: dict[Kind, dict[str, Callable[[str], object]]] = {
    Kind.HTTP: {"request": parse_url, "expect": http_plan.parse_expect},
    Kind.DNS: {"address": _literal, "request": dns.parse_request, "expect": dns.parse_expect},
}

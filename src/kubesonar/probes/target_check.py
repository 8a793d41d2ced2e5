"""Refuses targets that no probe could ask, at the start instead of as a fault of every probe."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubesonar.config import ConfigError
from kubesonar.core.address import family_of, is_literal
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.core.probing.plan import Target, of_target
from kubesonar.model import Kind
from kubesonar.net.http.url import parse_url
from kubesonar.probes import dns
from kubesonar.probes.http import plan


def refuse_bad(targets: Iterable[Target]) -> None:
    """Raises ConfigError, naming the field, for the first target that no probe could ask or that occurs twice."""
    seen: dict[str, int] = {}
    for number, target in enumerate(targets):
        for field, read in _READERS.get(target.kind, {}).items():
            try:
                read(getattr(target, field))
            except ValueError as error:
                raise ConfigError(f"targets[{number}].{field}: {error}") from None
        _refuse_other_family(f"targets[{number}]", target)
        before = seen.setdefault(of_target(target).id, number)
        if before != number:
            raise ConfigError(
                f'targets[{number}].name: got "{target.name}", which targets[{before}] of the same kind and path has; '
                "expected a name of its own"
            )


def _refuse_other_family(key: str, target: Target) -> None:
    host = target.address or (parse_url(target.request).host if target.kind is Kind.HTTP else "")
    if target.family and is_literal(host) and family_of(host) != target.family:
        raise ConfigError(f"{key}.family: got {target.family}, expected that of {host} ({family_of(host)}), or 0")


def refuse_bad_cluster(options: ClusterOptions) -> None:
    """Raises ConfigError, naming the first field of `cluster` that no probe could ask."""
    _refuse("cluster.service.url", parse_url, options.service.url)
    _refuse("cluster.service.expect", plan.parse_statuses, options.service.expect)
    _refuse("cluster.ingress.url", parse_url, options.ingress.url)
    _refuse("cluster.ingress.expect", plan.parse_statuses, options.ingress.expect)
    _refuse("cluster.dns.question", _question, options.dns.question)
    _refuse("cluster.dns.large", _question, options.dns.large)
    _refuse("cluster.dns.expect", dns.parse_answer, options.dns.expect)
    for number, address in enumerate(options.dns.address):
        _refuse(f"cluster.dns.address[{number}]", _literal, address)


def _refuse(field: str, read: Callable[[str], object], given: str) -> None:
    if given:
        try:
            read(given)
        except ValueError as error:
            raise ConfigError(f"{field}: {error}") from None


def _question(text: str) -> None:
    """Refuse a question that names a transport: the checks say which."""
    if len(text.split()) != 2:
        raise ValueError(f'a question is "NAME TYPE", not {text!r}')
    dns.parse_request(text)


def _literal(address: str) -> None:
    if not is_literal(address):
        raise ValueError(f"a DNS server is an IP address, not {address!r}")


_READERS: dict[Kind, dict[str, Callable[[str], object]]] = {
    Kind.HTTP: {"request": parse_url, "expect": plan.parse_statuses},
    Kind.DNS: {"address": _literal, "request": dns.parse_request, "expect": dns.parse_answer},
}

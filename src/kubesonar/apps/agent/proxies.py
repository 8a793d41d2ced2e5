"""The environment's proxies: used for external targets and receivers where the option says so, else told of."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from kubesonar.apps.agent.options import AgentOptions, ProxyUse
from kubesonar.model import Kind, Path
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.net.http.url import parse_url

_LOG = logging.getLogger("kubesonar.agent")


def proxies_of(options: AgentOptions, environ: Mapping[str, str]) -> Proxies:
    """Return the proxies to use: those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or none. Logs a warning for a variable
    that would apply and is passed over, and for one that cannot be used."""
    found = Proxies(environ)
    if options.proxy is ProxyUse.ENVIRONMENT:
        if found.trouble:
            _LOG.warning("%s", found.trouble)
        return found
    for name in sorted(set(_passed_over(options, found))):
        _LOG.warning(
            "%s is set and passed over: external targets and receivers of notices are asked straight, without a proxy "
            "(proxy: environment uses it)",
            name,
        )
    return Proxies({})


def _passed_over(options: AgentOptions, found: Proxies) -> Iterator[str]:
    """Yield the variables that would apply to a target or receiver. A URL in a file may be any."""
    for receiver in options.notify.receivers if options.membership.enabled else ():
        yield from _applying(found, receiver.url) if receiver.url else found.names.values()
    for target in options.targets:
        if target.kind is Kind.HTTP and target.path is Path.EXTERNAL and not target.address:
            yield from _applying(found, target.request)


def _applying(found: Proxies, text: str) -> Iterator[str]:
    url = parse_url(text)
    if found.of(url) is not None:
        yield found.names[url.scheme]

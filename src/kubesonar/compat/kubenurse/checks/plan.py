"""The checks of a round, as coroutine functions that are ready to be called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from kubesonar.compat.kubenurse.checks.api_server import ApiServerCheck
from kubesonar.compat.kubenurse.checks.client import CheckClient, CheckResponse, CheckTarget
from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from kubesonar.compat.kubenurse.metrics.instruments import PATH_PREFIX
from kubesonar.compat.kubenurse.neighbours.selection import Neighbour, OwnPod
from kubesonar.compat.kubenurse.settings import KubenurseSettings
from kubesonar.core.address import bracketed, family_of
from kubesonar.model import Path
from kubesonar.net.http.proxy.userinfo import split_user

ALWAYS_HAPPY = "/alwayshappy"
ORIGIN = "KUBENURSE-NEIGHBOUR-ORIGIN"
"""The request header with the name of the neighbour that checks."""

SKIPPED = "skipped"

Work = Callable[[], Awaitable[CheckResponse]]


class CheckPlan:
    """Makes the checks from the settings. `name` is this pod's, which neighbours see; `port` is where they listen."""

    def __init__(
        self,
        settings: KubenurseSettings,
        getter: CheckClient,
        contexts: TrustContexts,
        authority: ApiServerCheck,
        name: str,
        port: int,
    ) -> None:
        self._settings = settings
        self._getter = getter
        self._contexts = contexts
        self._authority = authority
        self._scheme = "https" if settings.use_tls else "http"
        self._port = port
        self._headers = ((ORIGIN, name),)

    def fixed(self) -> Iterator[tuple[str, Work | None]]:
        """Yield type and check of everything but neighbours; None for a check that is switched off."""
        settings = self._settings
        direct = f"https://{bracketed(settings.api_host)}:{settings.api_port}/version"
        named = f"https://{bracketed(settings.api_dns)}:{settings.api_port}/version"
        for kind, wanted, path, url in (
            ("api_server_direct", settings.check_api_server_direct, Path.API_DIRECT, direct),
            ("api_server_dns", settings.check_api_server_dns, Path.API_DNS, named),
        ):
            yield kind, partial(self._authority.ask, CheckTarget(kind, path, url)) if wanted else None
        for kind, wanted, path, url in (
            ("me_ingress", settings.check_me_ingress, Path.INGRESS, settings.ingress_url),
            ("me_service", settings.check_me_service, Path.SERVICE, settings.service_url),
        ):
            yield kind, self._get(CheckTarget(kind, path, url + ALWAYS_HAPPY)) if wanted else None
        for extra in settings.extra_checks:
            url, user = split_user(extra.url)
            headers = (("Authorization", user),) if user else ()
            yield extra.name, self._get(CheckTarget(extra.name, Path.EXTERNAL, url, headers))

    def of(self, neighbour: Neighbour, me: OwnPod) -> Iterator[tuple[str, Work]]:
        """Yield a check for the neighbour's first address, and for others of a family that this pod has."""
        kind = PATH_PREFIX + neighbour.node
        first, *others = neighbour.addresses
        for address in (first, *(other for other in others if family_of(other) in me.families)):
            url = f"{self._scheme}://{bracketed(address)}:{self._port}{ALWAYS_HAPPY}"
            yield kind, self._get(CheckTarget(kind, Path.POD, url, self._headers))

    def _get(self, target: CheckTarget) -> Work:
        return partial(self._getter.get, target, self._contexts.context())

"""Checks of the API server, with the service account's token where it asks for one."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.compat.kubenurse.checks.client import CheckClient, CheckResponse, CheckTarget
from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Access, Credentials

AUTH_REFUSED = frozenset({401, 403})
"""Statuses by which an API server refuses to tell an anonymous client its version."""

_REMEMBER = 600.0
"""Seconds after a refusal until a check without a token is tried again; longer: a changed right is noticed later."""


class ApiServerCheck:
    """Checks without a token first, and with it where that is refused. The token is sent only over a connection that
    the cluster's CA has verified, even where the settings verify nothing, and never to the target of a redirect."""

    def __init__(
        self, client: CheckClient, contexts: TrustContexts, credentials: Credentials | None, mono: Callable[[], float]
    ) -> None:
        self._client = client
        self._contexts = contexts
        self._credentials = credentials
        self._mono = mono
        self._until: dict[str, float] = {}

    async def ask(self, target: CheckTarget) -> CheckResponse:
        """Check the API server at one of its addresses."""
        access = await self._access()
        if access is not None and self._mono() < self._until.get(target.type, 0.0):
            return await self._shown(target, access)
        tolerated = AUTH_REFUSED if access else frozenset[int]()
        answer = await self._client.get(target, self._contexts.context(), tolerated)
        if access is None or answer.status not in AUTH_REFUSED:
            return answer
        self._until[target.type] = self._mono() + _REMEMBER
        return await self._shown(target, access)

    async def _shown(self, target: CheckTarget, access: Access) -> CheckResponse:
        headers = (("Authorization", f"Bearer {access.token}"),)
        known = CheckTarget(target.type, target.path, target.url, headers)
        assert access.context is not None
        return await self._client.get(known, access.context)

    async def _access(self) -> Access | None:
        """Return None without a token, and without a CA that verifies whom it is sent to."""
        if self._credentials is None or not self._credentials.verified:
            return None
        try:
            access = await self._credentials.access()
        except CredentialsError:
            return None
        return access if access.token and access.context else None

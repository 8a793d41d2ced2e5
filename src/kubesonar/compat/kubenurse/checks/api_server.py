"""The API server's own checks, and when it gets to see the service account's token."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.compat.kubenurse.checks.client import CheckClient, CheckResponse, CheckTarget
from kubesonar.compat.kubenurse.checks.trust import TrustContexts
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Access, Credentials

AUTH_REFUSED = frozenset({401, 403})
"""How an API server says that it does not tell everybody its version."""

_REMEMBER = 600.0
"""Seconds after which it is asked without a token again: rights change."""


class ApiServerCheck:
    """Asks without a token, and shows it only where that is refused, over a connection that the cluster's own CA has
    verified, whatever the settings say of verifying. Redirects never see it (`CheckTarget`)."""

    def __init__(
        self, getter: CheckClient, contexts: TrustContexts, credentials: Credentials | None, mono: Callable[[], float]
    ) -> None:
        self._getter = getter
        self._contexts = contexts
        self._credentials = credentials
        self._mono = mono
        self._until: dict[str, float] = {}

    async def ask(self, target: CheckTarget) -> CheckResponse:
        """One check of the API server at one of its addresses."""
        access = await self._access()
        if access is not None and self._mono() < self._until.get(target.type, 0.0):
            return await self._shown(target, access)
        tolerated = AUTH_REFUSED if access else frozenset[int]()
        answer = await self._getter.get(target, self._contexts.context(), tolerated)
        if access is None or answer.status not in AUTH_REFUSED:
            return answer
        self._until[target.type] = self._mono() + _REMEMBER
        return await self._shown(target, access)

    async def _shown(self, target: CheckTarget, access: Access) -> CheckResponse:
        headers = (("Authorization", f"Bearer {access.token}"),)
        known = CheckTarget(target.type, target.path, target.url, headers)
        assert access.context is not None
        return await self._getter.get(known, access.context)

    async def _access(self) -> Access | None:
        """None without a token, or without a verified way to show it."""
        if self._credentials is None or not self._credentials.verified:
            return None
        try:
            access = await self._credentials.access()
        except CredentialsError:
            return None
        return access if access.token and access.context else None

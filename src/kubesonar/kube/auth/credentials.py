"""Credentials for one API server: its address, its proof of identity, and this program's own."""

from __future__ import annotations

import ssl

import msgspec

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.identity import IdentitySource
from kubesonar.kube.auth.tls import Tls
from kubesonar.net.http.proxy.environment import Proxy
from kubesonar.net.http.url import Url


class Access(msgspec.Struct, frozen=True):
    """The access that one request needs: a TLS context (None: plain HTTP) and a bearer token (empty: none)."""

    context: ssl.SSLContext | None
    token: str


class Credentials:
    """The address of one API server, and the access to it.

    `server` is its URL, whose path may be a prefix; `server_name` is the name its certificate must hold; `namespace`
    is the one this program lives in or works on; `proxy` leads to the server, None: it is asked straight.
    """

    def __init__(
        self,
        server: Url,
        identities: IdentitySource,
        tls: Tls,
        *,
        server_name: str = "",
        namespace: str = "default",
        proxy: Proxy | None = None,
    ) -> None:
        self.server = server
        self.proxy = proxy
        self.server_name = server_name or server.host
        self.namespace = namespace
        self._identities = identities
        self._tls = tls

    @property
    def verified(self) -> bool:
        """True where the server must prove who it is."""
        return self.server.secure and not self._tls.insecure

    async def access(self, again: bool = False) -> Access:
        """Return the access as the files are now; with `again`, the server refused the one before.

        Raises CredentialsError, also where a token would be shown to a server that does not prove who it is.
        """
        identity = await self._identities.identity(again)
        if identity.token and not self.verified:
            raise CredentialsError(
                f"a token is shown over verified TLS only, and {self.server.authority} is asked without"
            )
        return Access(self._tls.context(identity.pair) if self.server.secure else None, identity.token)

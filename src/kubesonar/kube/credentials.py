"""Where the API server is, how to know that it is the one, and how to tell it who we are."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Protocol

import msgspec

from kubesonar.core.address import bracketed
from kubesonar.kube.credential_file import CredentialsError, Material
from kubesonar.kube.resource import is_namespace
from kubesonar.kube.tls import Tls
from kubesonar.net.http.url import Url, parse_url

__all__ = ["Access", "ClientIdentity", "Credentials", "CredentialsError", "find", "from_kubeconfig", "in_cluster"]

DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where the kubelet mounts a pod's service account."""

_TOKEN_LIMIT = 32_768
_TOKEN = re.compile(r"[!-~]+", re.ASCII)


class ClientIdentity(msgspec.Struct, frozen=True):
    """Who we are: a bearer token, a certificate with its key (PEM, one text), both or neither."""

    token: str = ""
    pair: bytes = b""


class Identities(Protocol):
    """Where an identity comes from. With `again` the one before was refused. Raises CredentialsError."""

    async def identity(self, again: bool = False) -> ClientIdentity: ...


class Access(msgspec.Struct, frozen=True):
    """What one request needs: a TLS context (None: plain HTTP) and a bearer token (empty: none)."""

    context: ssl.SSLContext | None
    token: str


class Credentials:
    """`server` is the API server's URL, whose path may be a prefix; `server_name` is whom its certificate must name;
    `namespace` is ours."""

    def __init__(
        self, server: Url, identities: Identities, tls: Tls, *, server_name: str = "", namespace: str = "default"
    ) -> None:
        self.server = server
        self.server_name = server_name or server.host
        self.namespace = namespace
        self._identities = identities
        self._tls = tls

    @property
    def verified(self) -> bool:
        """Whether the server has to prove that it is the one."""
        return self.server.secure and not self._tls.insecure

    async def access(self, again: bool = False) -> Access:
        """As the files are now; with `again` what was shown before has been refused. Raises CredentialsError, also
        where a token would have to be shown to a server that does not prove who it is."""
        identity = await self._identities.identity(again)
        if identity.token and not self.verified:
            raise CredentialsError(
                f"a token is shown over verified TLS only, and {self.server.authority} is asked without"
            )
        return Access(self._tls.context(identity.pair) if self.server.secure else None, identity.token)


class Files:
    """An identity in files, or given: a token, a certificate and its key."""

    def __init__(
        self, token: Material | None = None, certificate: Material | None = None, key: Material | None = None
    ) -> None:
        self._token = token
        self._pair = [part for part in (certificate, key) if part is not None]

    async def identity(self, again: bool = False) -> ClientIdentity:
        """See `Identities`."""
        return self.read(again)

    def read(self, again: bool = False) -> ClientIdentity:
        """As the files are now. Raises CredentialsError."""
        token = checked_token(self._token.read(again)) if self._token else ""
        return ClientIdentity(token, b"\n".join(part.read(again) for part in self._pair))


def checked_token(data: bytes) -> str:
    """A token that can stand in a header (RFC 6750, section 2.1). Raises CredentialsError, without repeating it."""
    token = data.decode("ascii", "replace").strip()
    if not token:
        raise CredentialsError("the token is empty")
    if len(token) > _TOKEN_LIMIT or not _TOKEN.fullmatch(token):
        raise CredentialsError(f"the token is not a word of ASCII characters, {_TOKEN_LIMIT} at most")
    return token


def in_cluster(environ: Mapping[str, str], directory: str = DIRECTORY) -> Credentials:
    """Those of a pod's service account. Raises CredentialsError."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise CredentialsError("not in a cluster: KUBERNETES_SERVICE_HOST is not set")
    try:
        server = parse_url(f"https://{bracketed(host)}:{port}")
    except ValueError:
        raise CredentialsError(
            f'KUBERNETES_SERVICE_HOST and _PORT: got "{host[:80]}" and "{port[:80]}", expected a host and a port'
        ) from None
    identities, tls = Files(Material(f"{directory}/token")), Tls(Material(f"{directory}/ca.crt"))
    tls.context(identities.read().pair)
    return Credentials(server, identities, tls, namespace=_namespace(directory))


def from_kubeconfig(path: str, context: str = "") -> Credentials:
    """Those of a kubeconfig file (several, joined by ":", are merged as kubectl does) and one of its contexts, its
    current one unless named. Raises CredentialsError."""
    from kubesonar.kube.kubeconfig import load_kubeconfig  # a pod never pays for it

    return load_kubeconfig(path, context)


def find(environ: Mapping[str, str], kubeconfig: str = "") -> Credentials:
    """Those of the file given, else of the pod we are in, else of KUBECONFIG, else of ~/.kube/config. Raises
    CredentialsError."""
    if kubeconfig:
        return from_kubeconfig(kubeconfig)
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster(environ)
    if environ.get("KUBECONFIG"):
        return from_kubeconfig(environ["KUBECONFIG"])
    if environ.get("HOME"):
        return from_kubeconfig(f"{environ['HOME']}/.kube/config")
    raise CredentialsError("no credentials: not in a cluster, and neither KUBECONFIG nor HOME is set")


def _namespace(directory: str) -> str:
    try:
        name = Material(f"{directory}/namespace").read().decode("ascii", "replace").strip()
    except CredentialsError:
        return "default"
    return name if is_namespace(name) else "default"

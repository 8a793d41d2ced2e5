"""Exec plug-ins: programs named in a kubeconfig that print an ExecCredential
(https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins)."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import datetime
from typing import Literal

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.identity import ClientIdentity, checked_token
from kubesonar.kube.auth.subprocess_output import RunError, run_command
from kubesonar.model import clip
from kubesonar.net.http.url import Url
from kubesonar.net.watched_file import reason_of

PLUGIN_TIMEOUT = 30.0
"""Seconds after which a plug-in is stopped. Shorter fails those that ask a cloud; longer delays the start."""

EARLY = 10.0
"""Seconds before its expiry at which a credential is replaced: it must not expire on the way to the server."""

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class EnvVariable(msgspec.Struct, frozen=True):
    """An environment variable that the plug-in gets."""

    name: str
    value: str


class ExecSpec(msgspec.Struct, frozen=True, rename="camel"):
    """`user.exec` of a kubeconfig: the program, its arguments and what it expects."""

    command: str
    api_version: str = ""
    args: tuple[str, ...] | None = ()
    env: tuple[EnvVariable, ...] | None = ()
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: Literal["Never", "IfAvailable", "Always"] = "IfAvailable"


class _CredentialStatus(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _Credential(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: Literal["ExecCredential"]
    status: _CredentialStatus


class ExecPlugin:
    """Runs the program when its last credential expires or was refused, for `timeout` seconds at most.

    A relative path of the program counts from `folder`. Raises CredentialsError for what is not supported.
    """

    def __init__(
        self,
        spec: ExecSpec,
        folder: str,
        server: Url,
        server_name: str,
        timeout: float = PLUGIN_TIMEOUT,
        proxy_url: str = "",
    ) -> None:
        if spec.api_version not in _VERSIONS:
            raise CredentialsError(f'exec: apiVersion is "{clip(spec.api_version, 80)}", expected {_VERSIONS[0]}')
        if spec.interactive_mode == "Always":
            raise CredentialsError("exec: a plug-in that must ask a person (interactiveMode Always) is not supported")
        if not spec.command:
            raise CredentialsError("exec: command is empty")
        self._spec = spec
        self._command = os.path.join(folder, spec.command) if "/" in spec.command else spec.command  # noqa: PTH118
        self._info = _info(spec, server, server_name, proxy_url)
        self._identity: ClientIdentity | None = None
        self._expires = 0.0
        self._running = asyncio.Lock()
        self._timeout = timeout

    async def identity(self, again: bool = False) -> ClientIdentity:
        """Return the last credential until it expires; with `again` run the program in any case.

        Callers that wait at the same time share one run. Raises CredentialsError.
        """
        before = self._identity
        async with self._running:
            renewed = self._identity is not before
            if self._identity is None or time.time() >= self._expires or (again and not renewed):
                self._take(await self._output())
            assert self._identity is not None
            return self._identity

    def _take(self, output: bytes) -> None:
        try:
            credential = decode_json(output, _Credential)
        except Undecodable as error:
            raise CredentialsError(f"{self._name} printed no ExecCredential: {clip(str(error))}") from None
        if credential.api_version != self._spec.api_version:
            raise CredentialsError(f"{self._name} printed another apiVersion than {self._spec.api_version}")
        status = credential.status
        pair = f"{status.client_certificate_data}\n{status.client_key_data}".strip().encode()
        if not status.token and not pair:
            raise CredentialsError(f"{self._name} gave neither a token nor a certificate")
        self._identity = ClientIdentity(checked_token(status.token.encode()) if status.token else "", pair)
        expires = status.expiration_timestamp
        self._expires = expires.timestamp() - EARLY if expires else float("inf")

    async def _output(self) -> bytes:
        given = {entry.name: entry.value for entry in self._spec.env or ()}
        command = [self._command, *(self._spec.args or ())]
        try:
            return await asyncio.to_thread(run_command, command, {**os.environ, **given, **self._info}, self._timeout)
        except RunError as error:
            raise CredentialsError(f"{self._name} {error}") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            hint = f"; {clip(self._spec.install_hint)}" if self._spec.install_hint else ""
            raise CredentialsError(f"{self._name} cannot be run: {clip(reason_of(error))}{hint}") from None

    @property
    def _name(self) -> str:
        return f"the credential plug-in {clip(self._command, 120)}"


def _info(spec: ExecSpec, server: Url, server_name: str, proxy_url: str) -> dict[str, str]:
    """Return KUBERNETES_EXEC_INFO; of the cluster it holds the way to it only, and that where the plug-in asks for
    it."""
    content: dict[str, object] = {"interactive": False}
    if spec.provide_cluster_info:
        cluster = {"server": f"{server.scheme}://{server.authority}{server.target}".rstrip("/")}
        more = {"tls-server-name": server_name, "proxy-url": proxy_url}
        content["cluster"] = cluster | {key: value for key, value in more.items() if value}
    info = {"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": content}
    return {"KUBERNETES_EXEC_INFO": encode_json(info).decode()}

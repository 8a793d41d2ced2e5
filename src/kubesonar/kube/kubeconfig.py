"""A kubeconfig file: which cluster, as whom (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).

What would make us somebody else than the file says, or ask another way, and is not supported, is refused rather than
ignored: proxies, impersonation, user names with passwords (gone since Kubernetes 1.19), the old plug-ins in the client.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import Annotated, Any, TypeVar

import msgspec

from kubesonar.config.yamltext import read_yaml
from kubesonar.kube.credentials import Credentials, Files, Identity
from kubesonar.kube.material import CredentialsError, Given, Material
from kubesonar.kube.plugin import ExecSpec, Plugin
from kubesonar.kube.resource import is_namespace
from kubesonar.kube.tls import Tls
from kubesonar.model import clip
from kubesonar.net.url import Url, parse_url

Text = Annotated[str, msgspec.Meta(max_length=1 << 20)]


class _Part(msgspec.Struct, frozen=True, rename="kebab"):
    """Keys in kebab case, but for those that are not."""


class _Cluster(_Part, frozen=True):
    server: Text = ""
    certificate_authority: Text = ""
    certificate_authority_data: Text = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: Text = ""
    proxy_url: Text = ""


class _User(_Part, frozen=True):
    client_certificate: Text = ""
    client_certificate_data: Text = ""
    client_key: Text = ""
    client_key_data: Text = ""
    token: Text = ""
    token_file: Text = msgspec.field(default="", name="tokenFile")
    exec: ExecSpec | None = None
    act_as: Text = msgspec.field(default="", name="as")
    username: Text = ""
    auth_provider: Any = None


class _Context(_Part, frozen=True):
    cluster: Text = ""
    user: Text = ""
    namespace: Text = ""


class _NamedCluster(_Part, frozen=True):
    name: Text
    cluster: _Cluster


class _NamedUser(_Part, frozen=True):
    name: Text
    user: _User


class _NamedContext(_Part, frozen=True):
    name: Text
    context: _Context


class _File(_Part, frozen=True):
    current_context: Text = ""
    clusters: tuple[_NamedCluster, ...] | None = ()
    users: tuple[_NamedUser, ...] | None = ()
    contexts: tuple[_NamedContext, ...] | None = ()


Entry = TypeVar("Entry", _Cluster, _User, _Context)


class _Merged:
    """Several files as one: the first to name something wins. Paths count from the folder of their file."""

    def __init__(self, paths: list[str]) -> None:
        self.current = ""
        self.clusters: dict[str, tuple[str, _Cluster]] = {}
        self.users: dict[str, tuple[str, _User]] = {}
        self.contexts: dict[str, tuple[str, _Context]] = {}
        for path in paths:
            file, folder = _parsed(path), os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
            self.current = self.current or file.current_context
            for cluster in file.clusters or ():
                self.clusters.setdefault(cluster.name, (folder, cluster.cluster))
            for user in file.users or ():
                self.users.setdefault(user.name, (folder, user.user))
            for context in file.contexts or ():
                self.contexts.setdefault(context.name, (folder, context.context))


def load(path: str, context: str = "") -> Credentials:
    """See `credentials.from_kubeconfig`."""
    paths = [part for part in path.split(os.pathsep) if part]
    present = [part for part in paths if os.path.exists(part)] if len(paths) > 1 else paths  # noqa: PTH110
    try:
        if not present:
            raise CredentialsError("there is no such file")
        return _credentials(_Merged(present), context)
    except CredentialsError as error:
        raise CredentialsError(f"kubeconfig {clip(path, 120)}: {error}") from None


def _parsed(path: str) -> _File:
    text = Material(path).read().decode("utf-8", "replace")
    try:
        return msgspec.convert(read_yaml(text) or {}, _File)
    except (ValueError, RecursionError) as error:  # msgspec.ValidationError is a ValueError
        reason = "is nested too deeply" if isinstance(error, RecursionError) else clip(str(error))
        raise CredentialsError(f"cannot be used: {reason}") from None


def _credentials(merged: _Merged, name: str) -> Credentials:
    name = name or merged.current
    if not name:
        raise CredentialsError("no context is named, and none is current (current-context)")
    _, context = _named("context", name, merged.contexts)
    cluster_folder, cluster = _named("cluster", context.cluster, merged.clusters)
    user_folder, user = _named("user", context.user, merged.users) if context.user else ("", _User())
    server = _server(context.cluster, cluster)
    _refuse(context.cluster, cluster, context.user, user)
    tls = _tls(cluster_folder, cluster)
    identities: Files | Plugin
    if user.exec and not user.token and not user.token_file:
        identities, now = Plugin(user.exec, user_folder, server, cluster.tls_server_name), Identity()
    else:
        identities = _files(user_folder, user)
        now = identities.read()
    if now.token and (not server.secure or cluster.insecure_skip_tls_verify):
        raise CredentialsError(f'user "{clip(context.user, 80)}": a token is shown over verified TLS only')
    if server.secure:
        tls.context(now.pair)
    namespace = context.namespace or "default"
    if not is_namespace(namespace):
        raise CredentialsError(f'context "{clip(name, 80)}": namespace "{clip(namespace, 80)}" is no name of one')
    return Credentials(server, identities, tls, server_name=cluster.tls_server_name, namespace=namespace)


def _named(what: str, name: str, known: dict[str, tuple[str, Entry]]) -> tuple[str, Entry]:
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise CredentialsError(f'has no {what} "{clip(name, 80)}", only: {clip(there, 120)}')
    return known[name]


def _server(name: str, cluster: _Cluster) -> Url:
    try:
        url = parse_url(cluster.server)
        if "?" in url.target:
            raise ValueError("a query")
    except ValueError:
        given = clip(cluster.server, 80)
        raise CredentialsError(f'cluster "{clip(name, 80)}": server is "{given}", expected https://HOST:PORT') from None
    return url


def _refuse(cluster_name: str, cluster: _Cluster, user_name: str, user: _User) -> None:
    unsupported = {
        f'cluster "{cluster_name}": proxy-url': cluster.proxy_url,
        f'user "{user_name}": as (impersonation)': user.act_as,
        f'user "{user_name}": username': user.username,
        f'user "{user_name}": auth-provider': user.auth_provider,
    }
    for what, value in unsupported.items():
        if value:
            raise CredentialsError(f"{clip(what)} is not supported")


def _tls(folder: str, cluster: _Cluster) -> Tls:
    data, path = cluster.certificate_authority_data, cluster.certificate_authority
    if cluster.insecure_skip_tls_verify and (data or path):
        raise CredentialsError("certificate-authority and insecure-skip-tls-verify exclude one another")
    return Tls(_material(folder, path, data, "certificate-authority-data"), insecure=cluster.insecure_skip_tls_verify)


def _files(folder: str, user: _User) -> Files:
    certificate = _material(folder, user.client_certificate, user.client_certificate_data, "client-certificate-data")
    key = _material(folder, user.client_key, user.client_key_data, "client-key-data")
    if (certificate is None) != (key is None):
        raise CredentialsError("client-certificate and client-key are given both or not at all")
    token = Material(_joined(folder, user.token_file)) if user.token_file else None
    if token is None and user.token:
        token = Given(user.token.encode())
    return Files(token, certificate, key)


def _material(folder: str, path: str, data: str, key: str) -> Material | None:
    """Data goes before a file, as in kubectl."""
    if data:
        try:
            return Given(base64.b64decode("".join(data.split()), validate=True))
        except (binascii.Error, ValueError):
            raise CredentialsError(f"{key} is not base64") from None
    return Material(_joined(folder, path)) if path else None


def _joined(folder: str, path: str) -> str:
    return os.path.join(folder, path)  # noqa: PTH118

"""Credentials from a kubeconfig file (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).

Settings that are not supported and would change the identity or the way to the server are refused rather than ignored:
impersonation, user names with passwords (gone since Kubernetes 1.19), the old auth providers of clients.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping

from kubesonar.kube.auth.credential_file import CredentialsError, ReadBytes, credential_file, fixed_bytes
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.auth.exec_plugin import ExecPlugin
from kubesonar.kube.auth.identity import ClientIdentity, FileIdentity
from kubesonar.kube.auth.kubeconfig_file import KubeconfigCluster, KubeconfigUser, MergedKubeconfig, NamedEntry
from kubesonar.kube.auth.tls import Tls
from kubesonar.kube.resource import is_namespace
from kubesonar.model import clip, mask_userinfo
from kubesonar.net.http.proxy.environment import PROXY_FORMS, Proxies, Proxy, proxy_at
from kubesonar.net.http.url import Url, parse_url

_PROXY = f"expected {PROXY_FORMS}, because proxies that are asked by TLS are not supported"


def load_kubeconfig(path: str, context: str, environ: Mapping[str, str]) -> Credentials:
    """Return the credentials of a context (empty: the current one); see `loading_rules.from_kubeconfig`. Raises
    CredentialsError."""
    paths = [part for part in path.split(os.pathsep) if part]
    present = [part for part in paths if os.path.exists(part)]  # noqa: PTH110
    try:
        if not present:
            raise CredentialsError("there is no such file")
        return _credentials(MergedKubeconfig(present), context, Proxies(environ))
    except CredentialsError as error:
        raise CredentialsError(f"kubeconfig {clip(path, 120)}: {error}") from None


def _credentials(merged: MergedKubeconfig, wanted: str, proxies: Proxies) -> Credentials:
    name = wanted or merged.current
    if not name:
        raise CredentialsError("no context is current (current-context)")
    _, context = _named("context", name, merged.contexts)
    cluster_folder, cluster = _named("cluster", context.cluster, merged.clusters)
    user_folder, user = _named("user", context.user, merged.users) if context.user else ("", KubeconfigUser())
    server = _server(context.cluster, cluster)
    proxy = _proxy(context.cluster, cluster, server, proxies)
    _refuse(context.user, user)
    tls = _tls(cluster_folder, cluster)
    identities: FileIdentity | ExecPlugin
    if user.exec and not user.token and not user.token_file:
        identities = ExecPlugin(user.exec, user_folder, server, cluster.tls_server_name, proxy_url=cluster.proxy_url)
        now = ClientIdentity()
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
    return Credentials(server, identities, tls, server_name=cluster.tls_server_name, namespace=namespace, proxy=proxy)


def _named(what: str, name: str, known: dict[str, tuple[str, NamedEntry]]) -> tuple[str, NamedEntry]:
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise CredentialsError(f'has no {what} "{clip(name, 80)}", only: {clip(there, 120)}')
    return known[name]


def _server(name: str, cluster: KubeconfigCluster) -> Url:
    try:
        url = parse_url(cluster.server)
        if "?" in url.target:
            raise ValueError("a query")
    except ValueError:
        given = clip(cluster.server, 80)
        raise CredentialsError(f'cluster "{clip(name, 80)}": server is "{given}", expected https://HOST:PORT') from None
    return url


def _proxy(name: str, cluster: KubeconfigCluster, server: Url, proxies: Proxies) -> Proxy | None:
    """Return the proxy to the server, as kubectl chooses it: that of the cluster, else that of the environment, which
    has exceptions."""
    if not cluster.proxy_url:
        if variable := proxies.unusable(server):
            raise CredentialsError(f"{variable} cannot be used: {_PROXY}")
        return proxies.of(server)
    try:
        return proxy_at(cluster.proxy_url)
    except ValueError:
        given = clip(mask_userinfo(cluster.proxy_url), 80)
        raise CredentialsError(f'cluster "{clip(name, 80)}": proxy-url is "{given}", {_PROXY}') from None


def _refuse(user_name: str, user: KubeconfigUser) -> None:
    unsupported = {
        f'user "{user_name}": as (impersonation)': user.act_as,
        f'user "{user_name}": username': user.username,
        f'user "{user_name}": auth-provider': user.auth_provider,
    }
    for what, value in unsupported.items():
        if value:
            raise CredentialsError(f"{clip(what)} is not supported")


def _tls(folder: str, cluster: KubeconfigCluster) -> Tls:
    data, path = cluster.certificate_authority_data, cluster.certificate_authority
    if cluster.insecure_skip_tls_verify and (data or path):
        raise CredentialsError("certificate-authority and insecure-skip-tls-verify exclude one another")
    return Tls(_bytes(folder, path, data, "certificate-authority-data"), insecure=cluster.insecure_skip_tls_verify)


def _files(folder: str, user: KubeconfigUser) -> FileIdentity:
    certificate = _bytes(folder, user.client_certificate, user.client_certificate_data, "client-certificate-data")
    key = _bytes(folder, user.client_key, user.client_key_data, "client-key-data")
    if (certificate is None) != (key is None):
        raise CredentialsError("client-certificate and client-key are given both or not at all")
    token = credential_file(_joined(folder, user.token_file)) if user.token_file else None
    if token is None and user.token:
        token = fixed_bytes(user.token.encode())
    return FileIdentity(token, certificate, key)


def _bytes(folder: str, path: str, data: str, key: str) -> ReadBytes | None:
    """Return a reader of the data under `key`, else of the file: data goes first, as in kubectl."""
    if data:
        try:
            return fixed_bytes(base64.b64decode("".join(data.split()), validate=True))
        except (binascii.Error, ValueError):
            raise CredentialsError(f"{key} is not base64") from None
    return credential_file(_joined(folder, path)) if path else None


def _joined(folder: str, path: str) -> str:
    return os.path.join(folder, path)  # noqa: PTH118

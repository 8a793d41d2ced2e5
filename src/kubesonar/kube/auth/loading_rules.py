"""Chooses the credentials: those of the pod, of a kubeconfig that is named, or of the user's own kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from kubesonar.core.address import bracketed
from kubesonar.kube.auth.credential_file import CredentialsError, credential_file
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.auth.identity import FileIdentity
from kubesonar.kube.auth.tls import Tls
from kubesonar.kube.resource import is_namespace
from kubesonar.net.http.url import parse_url

DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
"""The folder in which the kubelet mounts a pod's service account."""


_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


def in_cluster(environ: Mapping[str, str], directory: str = DIRECTORY) -> Credentials:
    """Return the credentials of a pod's service account. Raises CredentialsError."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise CredentialsError("not in a cluster: KUBERNETES_SERVICE_HOST is not set")
    try:
        server = parse_url(f"https://{bracketed(host)}:{port}")
    except ValueError:
        raise CredentialsError(
            f'KUBERNETES_SERVICE_HOST and _PORT: got "{host[:80]}" and "{port[:80]}", expected a host and a port'
        ) from None
    identity, tls = FileIdentity(credential_file(f"{directory}/token")), Tls(credential_file(f"{directory}/ca.crt"))
    tls.context(identity.read().pair)
    return Credentials(server, identity, tls, namespace=_namespace(directory))


def from_kubeconfig(path: str, context: str = "", environ: Mapping[str, str] = _NO_VARIABLES) -> Credentials:
    """Return the credentials of a context of a kubeconfig file (empty: of its current one).

    Several files, joined by ":", are merged as kubectl does; `environ` may name a proxy, where the file does not.
    Raises CredentialsError.
    """
    from kubesonar.kube.auth.kubeconfig import load_kubeconfig  # agents in pods save the memory

    return load_kubeconfig(path, context, environ)


def find_credentials(environ: Mapping[str, str], kubeconfig: str = "") -> Credentials:
    """Return the credentials of the file given, else of the pod, else of KUBECONFIG, else of ~/.kube/config.

    Raises CredentialsError.
    """
    if kubeconfig:
        return from_kubeconfig(kubeconfig, environ=environ)
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster(environ)
    if environ.get("KUBECONFIG"):
        return from_kubeconfig(environ["KUBECONFIG"], environ=environ)
    if environ.get("HOME"):
        return from_kubeconfig(f"{environ['HOME']}/.kube/config", environ=environ)
    raise CredentialsError("no credentials: not in a cluster, and neither KUBECONFIG nor HOME is set")


def personal_credentials(environ: Mapping[str, str], kubeconfig: str = "", context: str = "") -> Credentials:
    """Return the credentials of a person as kubectl finds them: of the file given, else of KUBECONFIG, else of
    ~/.kube/config, else of the pod where there is none of them.

    Raises CredentialsError.
    """
    home = f"{environ['HOME']}/.kube/config" if environ.get("HOME") else ""
    path = kubeconfig or environ.get("KUBECONFIG", "") or home
    if environ.get("KUBERNETES_SERVICE_HOST") and not context and not os.path.exists(path):  # noqa: PTH110
        return in_cluster(environ)
    if not path:
        raise CredentialsError("no credentials: neither KUBECONFIG nor HOME is set")
    return from_kubeconfig(path, context, environ)


def _namespace(directory: str) -> str:
    try:
        name = credential_file(f"{directory}/namespace")().decode("ascii", "replace").strip()
    except CredentialsError:
        return "default"
    return name if is_namespace(name) else "default"

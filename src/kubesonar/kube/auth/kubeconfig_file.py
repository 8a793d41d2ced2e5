"""The format of kubeconfig files, and how several are merged."""

from __future__ import annotations

import os
from typing import Annotated, Any, TypeVar

import msgspec

from kubesonar.config.yamltext import read_yaml
from kubesonar.core.decoding import convert_plain
from kubesonar.kube.auth.credential_file import CredentialsError, credential_file
from kubesonar.kube.auth.exec_plugin import ExecSpec
from kubesonar.model import clip

_Text = Annotated[str, msgspec.Meta(max_length=1 << 20)]


class _Keys(msgspec.Struct, frozen=True, rename="kebab"):
    """The base of this file: keys in kebab case, except those that are named otherwise."""


class KubeconfigCluster(_Keys, frozen=True):
    """The address of an API server, and its proof of identity."""

    server: _Text = ""
    certificate_authority: _Text = ""
    certificate_authority_data: _Text = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: _Text = ""
    proxy_url: _Text = ""


class KubeconfigUser(_Keys, frozen=True):
    """The credentials of a client."""

    client_certificate: _Text = ""
    client_certificate_data: _Text = ""
    client_key: _Text = ""
    client_key_data: _Text = ""
    token: _Text = ""
    token_file: _Text = msgspec.field(default="", name="tokenFile")
    exec: ExecSpec | None = None
    act_as: _Text = msgspec.field(default="", name="as")
    username: _Text = ""
    auth_provider: Any = None


class KubeconfigContext(_Keys, frozen=True):
    """A cluster, a user and a namespace, the first two by their names."""

    cluster: _Text = ""
    user: _Text = ""
    namespace: _Text = ""


class _NamedCluster(_Keys, frozen=True):
    name: _Text
    cluster: KubeconfigCluster


class _NamedUser(_Keys, frozen=True):
    name: _Text
    user: KubeconfigUser


class _NamedContext(_Keys, frozen=True):
    name: _Text
    context: KubeconfigContext


class _File(_Keys, frozen=True):
    current_context: _Text = ""
    clusters: tuple[_NamedCluster, ...] | None = ()
    users: tuple[_NamedUser, ...] | None = ()
    contexts: tuple[_NamedContext, ...] | None = ()


NamedEntry = TypeVar("NamedEntry", KubeconfigCluster, KubeconfigUser, KubeconfigContext)


class MergedKubeconfig:
    """Several files as one: the first file that names something wins.

    Each entry comes with the folder of its file, from which its relative paths count. Raises CredentialsError.
    """

    def __init__(self, paths: list[str]) -> None:
        self.current = ""
        self.clusters: dict[str, tuple[str, KubeconfigCluster]] = {}
        self.users: dict[str, tuple[str, KubeconfigUser]] = {}
        self.contexts: dict[str, tuple[str, KubeconfigContext]] = {}
        for path in paths:
            file, folder = _parsed(path), os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
            self.current = self.current or file.current_context
            for cluster in file.clusters or ():
                self.clusters.setdefault(cluster.name, (folder, cluster.cluster))
            for user in file.users or ():
                self.users.setdefault(user.name, (folder, user.user))
            for context in file.contexts or ():
                self.contexts.setdefault(context.name, (folder, context.context))


def _parsed(path: str) -> _File:
    data = credential_file(path)()
    try:
        return convert_plain(read_yaml(data) or {}, _File)
    except ValueError as error:  # Undecodable is one
        raise CredentialsError(f"cannot be used: {clip(str(error))}") from None

"""The format of kubeconfig files, and how several are one."""

from __future__ import annotations

import os
from typing import Annotated, Any, TypeVar

import msgspec

from kubesonar.config.yamltext import read_yaml
from kubesonar.kube.credential_file import CredentialsError, Material
from kubesonar.kube.plugin import ExecSpec
from kubesonar.model import clip

Text = Annotated[str, msgspec.Meta(max_length=1 << 20)]


class _Keys(msgspec.Struct, frozen=True, rename="kebab"):
    """Keys in kebab case, but for those that are not."""


class KubeconfigCluster(_Keys, frozen=True):
    """Where an API server is and how to know it."""

    server: Text = ""
    certificate_authority: Text = ""
    certificate_authority_data: Text = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: Text = ""
    proxy_url: Text = ""


class User(_Keys, frozen=True):
    """How to tell it who we are."""

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


class Context(_Keys, frozen=True):
    """Names a cluster and a user."""

    cluster: Text = ""
    user: Text = ""
    namespace: Text = ""


class _NamedCluster(_Keys, frozen=True):
    name: Text
    cluster: KubeconfigCluster


class _NamedUser(_Keys, frozen=True):
    name: Text
    user: User


class _NamedContext(_Keys, frozen=True):
    name: Text
    context: Context


class _File(_Keys, frozen=True):
    current_context: Text = ""
    clusters: tuple[_NamedCluster, ...] | None = ()
    users: tuple[_NamedUser, ...] | None = ()
    contexts: tuple[_NamedContext, ...] | None = ()


NamedEntry = TypeVar("NamedEntry", KubeconfigCluster, User, Context)


class Merged:
    """Several files as one: the first to name something wins. Paths count from the folder of their file."""

    def __init__(self, paths: list[str]) -> None:
        self.current = ""
        self.clusters: dict[str, tuple[str, KubeconfigCluster]] = {}
        self.users: dict[str, tuple[str, User]] = {}
        self.contexts: dict[str, tuple[str, Context]] = {}
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
    text = Material(path).read().decode("utf-8", "replace")
    try:
        return msgspec.convert(read_yaml(text) or {}, _File)
    except (ValueError, RecursionError) as error:  # msgspec.ValidationError is a ValueError
        reason = "is nested too deeply" if isinstance(error, RecursionError) else clip(str(error))
        raise CredentialsError(f"cannot be used: {reason}") from None

"""Makes the store that the options ask for."""

from __future__ import annotations

from collections.abc import Mapping

from kubesonar.apps.collector.options import CollectorEtcdOptions, CollectorStoreOptions, StoreKind
from kubesonar.config import ConfigError
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import Client
from kubesonar.net.clock import Clock
from kubesonar.net.watched_file import read_file, reason_of
from kubesonar.stores.etcd import EtcdStore
from kubesonar.stores.etcd_options import EtcdOptions
from kubesonar.stores.kubernetes import KubernetesStore
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.sqlite import SqliteStore
from kubesonar.stores.store import Store

_PASSWORD_LIMIT = 4096
"""Largest password file (bytes). Higher: a wrong path fills memory; lower: a long password is refused."""


def collector_store(options: CollectorStoreOptions, environ: Mapping[str, str], clock: Clock) -> Store:
    """Return the store of `options`; nothing is asked yet. Raises ConfigError where the credentials cannot be used."""
    match options.kind:
        case StoreKind.SQLITE:
            return SqliteStore(options.directory, options.size, clock)
        case StoreKind.ETCD:
            return EtcdStore(_etcd_options(options.etcd))
        case StoreKind.KUBERNETES:
            try:
                credentials = find_credentials(environ, options.kubeconfig)
            except CredentialsError as error:
                raise ConfigError(f"store.kind: kubernetes cannot be used: {error}") from error
            return KubernetesStore(Client(credentials, clock=clock), credentials.namespace, clock)
        case StoreKind.MEMORY:
            return MemoryStore(options.size, clock)


def _etcd_options(options: CollectorEtcdOptions) -> EtcdOptions:
    return EtcdOptions(
        endpoints=options.endpoints,
        tree=options.tree,
        ca_file=options.ca_file,
        cert_file=options.cert_file,
        key_file=options.key_file,
        user=options.user,
        password=_password(options.password_file) if options.user else "",
    )


def _password(path: str) -> str:
    try:
        return read_file(path, _PASSWORD_LIMIT).decode().strip("\r\n")
    except (OSError, ValueError) as error:
        raise ConfigError(f"store.etcd.password_file: {path} cannot be read: {reason_of(error)}") from None

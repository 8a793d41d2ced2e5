"""Makes the election that the options ask for, and the store as a replica may write to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.apps.collector.replicas.leadership import DURATION, Alone, ReplicaElection
from kubesonar.config import ConfigError
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import Client
from kubesonar.kube.lease import LeaseKeeper
from kubesonar.kube.resource import leases
from kubesonar.net.clock import Clock
from kubesonar.stores.election import FencedStore, StoreElection
from kubesonar.stores.store import Store


def collector_election(
    options: CollectorOptions,
    store: Store,
    name: str,
    hold_back: Callable[[], bool],
    environ: Mapping[str, str],
    clock: Clock,
    closing: AsyncExitStack,
) -> tuple[ReplicaElection, Store]:
    """Return how the replica `name` is elected, and the store that it writes to. While `hold_back` returns True, it
    does not take the place of one that seems to be away. Raises ConfigError where nothing can elect."""
    replicas, rng = options.replicas, random.SystemRandom()
    if not replicas.peers:
        return Alone(name), store
    if options.store.kind.shared:
        election = StoreElection(store, name, hold_back, clock, rng, DURATION)
        return election, FencedStore(store, election)
    if not replicas.lease:
        raise ConfigError(
            f"replicas.lease: expected the name of a Lease, because each replica has its own {options.store.kind}"
        )
    try:
        credentials = find_credentials(environ, replicas.kubeconfig)
        path = leases(credentials.namespace)
    except (CredentialsError, ValueError) as error:
        raise ConfigError(f"replicas.lease: a Lease cannot be held: {error}") from error
    client = Client(credentials, clock=clock)
    closing.callback(client.close)
    keeper = LeaseKeeper(
        client,
        path,
        replicas.lease,
        name,
        lambda _: None,
        duration=DURATION,
        clock=clock,
        rng=rng,
        hold_back=hold_back,
    )
    keeper.want(True)
    return keeper, store

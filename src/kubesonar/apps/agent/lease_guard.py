"""The Lease that guards what a coordinator tells: while it is another's, this one tells of nobody's death."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.config import ConfigError
from kubesonar.model import Member, Network
from kubesonar.net.clock import Clock
from kubesonar.runtime.supervise import Supervisor

if TYPE_CHECKING:
    from kubesonar.kube.client import Client
    from kubesonar.kube.lease import LeaseKeeper


class LeaseGuard:
    """Nothing, where `options` name no Lease; else tries to hold it while that is wanted. `told` hears whose it is.
    Raises ConfigError where the API server cannot be asked at all."""

    def __init__(
        self,
        options: AgentOptions,
        environ: Mapping[str, str],
        me: Member,
        supervisor: Supervisor,
        clock: Clock,
        told: Callable[[bool | None], None],
    ) -> None:
        self._client: Client | None = None
        self._keeper: LeaseKeeper | None = None
        if options.lease.name:
            self._keeper = self._open(options, environ, me, clock, told)
            supervisor.run_forever("lease", self._keeper.run)

    def want(self, want: bool) -> None:
        """Whether it is to be ours."""
        if self._keeper is not None:
            self._keeper.want(want)

    async def close(self) -> None:
        """Lets go of it."""
        if self._keeper is not None:
            await self._keeper.release()
        if self._client is not None:
            self._client.close()

    def _open(
        self,
        options: AgentOptions,
        environ: Mapping[str, str],
        me: Member,
        clock: Clock,
        told: Callable[[bool | None], None],
    ) -> LeaseKeeper:
        """Imports what only agents with a Lease pay for."""
        from kubesonar.kube.auth.credential_file import CredentialsError
        from kubesonar.kube.auth.loading_rules import find_credentials
        from kubesonar.kube.client import Client
        from kubesonar.kube.lease import LeaseKeeper
        from kubesonar.kube.resource import leases

        try:
            credentials = find_credentials(environ, options.roster.kubernetes.kubeconfig)
            path = leases(options.lease.namespace or credentials.namespace)
        except (CredentialsError, ValueError) as error:
            raise ConfigError(f"lease.name: a Lease cannot be held: {error}") from error
        self._client = Client(credentials)
        return LeaseKeeper(
            self._client,
            path,
            options.lease.name + ("-host" if me.network is Network.HOST else ""),
            me.name,
            told,
            duration=options.lease.duration,
            clock=clock,
            rng=random.SystemRandom(),
        )

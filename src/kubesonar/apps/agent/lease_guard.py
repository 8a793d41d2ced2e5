"""Holds the Lease that guards announcements: while another coordinator has it, this one announces nothing."""

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
    """Tries to hold the Lease that `options` name while that is wanted; does nothing where they name none. `changed` is
    called with whether it is held, None where the API server does not say. Raises ConfigError where the API server
    cannot be asked at all."""

    def __init__(
        self,
        options: AgentOptions,
        environ: Mapping[str, str],
        me: Member,
        supervisor: Supervisor,
        clock: Clock,
        changed: Callable[[bool | None], None],
    ) -> None:
        self._client: Client | None = None
        self._keeper: LeaseKeeper | None = None
        if options.lease.name:
            self._keeper = self._open(options, environ, me, clock, changed)
            supervisor.run_forever("lease", self._keeper.run)

    def want(self, want: bool) -> None:
        """Try to hold the Lease from now on, or release it."""
        if self._keeper is not None:
            self._keeper.want(want)

    async def close(self) -> None:
        """Release the Lease and close the connection."""
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
        changed: Callable[[bool | None], None],
    ) -> LeaseKeeper:
        """Make the keeper; its imports are loaded only by agents with a Lease."""
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
            changed,
            duration=options.lease.duration,
            clock=clock,
            rng=random.SystemRandom(),
        )

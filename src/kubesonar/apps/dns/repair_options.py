"""The arguments that say how sick DNS pods are restarted, and what restarts them: for the verbs that do."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kubesonar.apps.client.collector_client import CollectorClient
from kubesonar.apps.dns.look_options import client_of
from kubesonar.apps.dns.mesh import MeshStandpoints
from kubesonar.config import ConfigError
from kubesonar.config.errors import bad_value
from kubesonar.config.schema import options
from kubesonar.config.values import convert, expected
from kubesonar.core.remedy.dns_round import DnsStandpoint
from kubesonar.core.remedy.options import RemedyOptions, RepairMode
from kubesonar.doctor.look import Looker
from kubesonar.doctor.repair.duty import RepairDuty
from kubesonar.doctor.repair.eviction import PodRestarter
from kubesonar.doctor.repair.facts import FactsReader
from kubesonar.doctor.repair.lease_memory import LeaseMemory
from kubesonar.doctor.repair.repairer import CONTROLLER, Repairer
from kubesonar.doctor.rights import DOCTOR_LEASE
from kubesonar.kube.event_recorder import EventRecorder
from kubesonar.kube.lease import LeaseKeeper
from kubesonar.kube.resource import leases
from kubesonar.net.clock import Clock
from kubesonar.net.watched_file import read_file, reason_of

NODE_ENV = "NODE_NAME"
"""Environment variable with the name of the doctor's node, which the chart sets."""

_LEASE_DURATION = 15
"""Seconds after which the Lease of a doctor that does not renew it is another's. Less burdens the API server; more, and
nobody acts for longer after a doctor has died."""

_TOKEN_LIMIT = 4096
"""Longest token file (bytes). Shorter, and long tokens are refused; longer, and a wrong path is read in full."""

_COLLECTOR_TIMEOUT = 5.0
"""Seconds for one answer of the collector. Less fails big clusters; more makes rounds with a dead one late."""


def add_repair_options(parser: argparse.ArgumentParser, **defaults: str) -> None:
    """Add the arguments; `defaults` replace those of `RemedyOptions`, as text."""
    group = parser.add_argument_group("restarts of DNS pods")
    for option in options(RemedyOptions):
        if option.key != "repair":
            default = defaults.get(option.key, f"{option.default:g}")
            words = f"{option.description} (default: {default})".replace("%", "%%")
            group.add_argument(option.flag, default=default, metavar="VALUE", help=words)
    group.add_argument(
        "--delete", action="store_true", help="delete pods in place of evicting them: disruption budgets do not count"
    )
    group.add_argument("--no-events", action="store_true", help="post no Kubernetes Events")
    group.add_argument(
        "--collector", default="", metavar="URL", help="take what this collector's agents find as more standpoints"
    )
    group.add_argument("--token-file", default="", metavar="FILE", help="bearer token for the collector")
    group.add_argument("--ca-file", default="", metavar="FILE", help="CA certificates (PEM) to trust the collector by")


def remedy_options(given: argparse.Namespace, mode: RepairMode) -> RemedyOptions:
    """Return the options that the arguments mean. Raises ConfigError."""
    values: dict[str, Any] = {}
    for option in options(RemedyOptions):
        if option.key != "repair":
            text = getattr(given, option.key)
            try:
                values[option.key] = convert(option.type, text, text=True)
            except ValueError:
                raise bad_value(option.key, f"flag {option.flag}", text, expected(option.type)) from None
    return RemedyOptions(repair=mode, **values)


class RepairAssembly:
    """The parts that the arguments put together: a `duty` that makes rounds, and where pods may be restarted the Lease
    for it. A context manager: it holds the Lease inside, and gives it up at the end."""

    def __init__(
        self,
        given: argparse.Namespace,
        looker: Looker,
        environ: Mapping[str, str],
        clock: Clock,
        mode: RepairMode,
    ) -> None:
        """Raises ConfigError for a bad argument."""
        namespace, holder = given.service[0], environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
        acts, path = mode is RepairMode.ON, leases(namespace)
        remedy = remedy_options(given, mode)
        collector = _collector(given) if given.collector else None
        self._client = client = client_of(given, environ)
        memory = LeaseMemory(client, f"{path}/{DOCTOR_LEASE}", holder, clock) if acts else None
        recorder = EventRecorder(client, CONTROLLER, holder, clock) if acts and not given.no_events else None
        self.repairer = Repairer(remedy, PodRestarter(client, delete=given.delete), memory, recorder, clock)
        here = DnsStandpoint(name=holder, node=environ.get(NODE_ENV, ""))
        mesh = MeshStandpoints(collector).edges if collector is not None else None
        self.duty = RepairDuty(looker, FactsReader(client, namespace, clock), self.repairer, here, clock, mesh)
        self._keeper = LeaseKeeper(
            client,
            path,
            DOCTOR_LEASE,
            holder,
            self.repairer.hold,
            duration=_LEASE_DURATION,
            clock=clock,
            rng=random.SystemRandom(),
        )
        self._acts = acts
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> RepairDuty:
        if self._acts:
            self._keeper.want(True)
            self._keeping = asyncio.create_task(self._keeper.run())
        return self.duty

    async def __aexit__(self, *error: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
            await self._keeper.release()
        self._client.close()


def _collector(given: argparse.Namespace) -> CollectorClient:
    token = ""
    if given.token_file:
        try:
            token = read_file(given.token_file, _TOKEN_LIMIT).decode("ascii").partition("\n")[0].strip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"--token-file: {given.token_file}: {reason_of(error)}") from None
    return CollectorClient(given.collector, token, given.ca_file, _COLLECTOR_TIMEOUT)

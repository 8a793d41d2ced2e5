"""Both webhooks, delivered through the outbox of `notify`."""

from __future__ import annotations

from random import Random

from kubesonar.compat.knh.election.events import NotifyCluster, NotifyPeer
from kubesonar.compat.knh.election.identity import Peer
from kubesonar.compat.knh.payloads import cluster_status, peer_status
from kubesonar.compat.knh.settings import KnhSettings
from kubesonar.core.delivery.retry_queue import DeliveryOptions
from kubesonar.core.membership.notices import notice_id
from kubesonar.model import Condition, Notice
from kubesonar.net.clock import Clock
from kubesonar.net.http.proxy.environment import NO_PROXIES, Proxies
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.notify.webhooks import Webhooks
from kubesonar.runtime.supervise import Supervisor

_FORMAT = "knh"
_LATEST = DeliveryOptions(pending=2, parallel=1, keep=60.0)
"""Options of the cluster's status: one delivery under way and one that waits, which a newer status replaces."""


class StatusWebhooks:
    """Posts deaths and returns of peers, at least once and in order per peer, and the latest status of the cluster.
    `proxies` lead to the receivers. `start` it, and `stop` it before the supervisor. Raises ConfigError."""

    def __init__(
        self,
        settings: KnhSettings,
        own: Peer,
        supervisor: Supervisor,
        clock: Clock,
        rng: Random,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self._own = own
        self._clock = clock
        self._back = settings.tell_return
        self._bodies: dict[str, bytes] = {}
        formats = {_FORMAT: lambda notice: self._bodies[notice.id]}
        peers = _options(settings, "peer-status", settings.peer_url, settings.outbox, DeliveryOptions())
        cluster = _options(settings, "cluster-status", settings.cluster_url, "", _LATEST)
        self._peers = Webhooks(peers, formats, supervisor, clock, rng, proxies=proxies)
        self._cluster = Webhooks(cluster, formats, supervisor, clock, rng, proxies=proxies)

    async def start(self) -> None:
        """Load what the outbox holds from an earlier run, and begin to deliver."""
        await self._peers.start()
        await self._cluster.start()

    async def peer(self, told: NotifyPeer) -> None:
        """Post that a peer died or, where the settings ask for that, came back."""
        if told.alive and not self._back:
            return
        what, word = (Condition.BACK, "back") if told.alive else (Condition.DEAD, "dead")
        sentence = f"{told.peer.id} at {told.peer.address} is {word}"
        await self._tell(self._peers, what, told.peer, sentence, peer_status(told.peer, told.alive, self._own))

    async def cluster(self, told: NotifyCluster) -> None:
        """Post the status of the cluster after an election."""
        body = cluster_status(told.peers, self._own)
        await self._tell(self._cluster, Condition.CLUSTER, self._own, "the status after an election", body)

    async def stop(self, grace: float) -> None:
        """Stop after all is delivered, at the latest after `grace` seconds."""
        await self._peers.stop(grace)
        await self._cluster.stop()

    async def _tell(self, webhooks: Webhooks, what: Condition, subject: Peer, sentence: str, body: bytes) -> None:
        now = self._clock.wall()
        id = notice_id(subject.id, 0, what, int(now * 1000))
        self._bodies[id] = body
        try:
            await webhooks.notify(Notice(id, what, subject.id, now, sentence, node=subject.node_name))
        finally:
            self._bodies.pop(id, None)


def _options(settings: KnhSettings, name: str, url: str, directory: str, delivery: DeliveryOptions) -> NotifyOptions:
    receiver = ReceiverOptions(name=name, url=url, format=_FORMAT, secret_file=settings.secret_file)
    return NotifyOptions(receivers=(receiver,) if url else (), directory=directory if url else "", delivery=delivery)

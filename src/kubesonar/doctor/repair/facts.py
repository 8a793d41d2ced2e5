"""Asks the API server about the DNS pods, and about changes that explain their silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from kubesonar.core.remedy.dns_round import DnsServerPod
from kubesonar.doctor.repair.objects import RestartablePod, Workload
from kubesonar.doctor.rights import daemon_sets_rule
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import T, find_condition
from kubesonar.kube.resource import NODES, Resource, pods
from kubesonar.kube.types import Node
from kubesonar.net.clock import Clock

_APPS = "/apis/apps/v1"
_TIMED_OUT = "ProgressDeadlineExceeded"


class DnsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that are known at one moment. `pods` is None where the API server does not say which DNS pods there
    are; `addresses` are theirs by uid; `planned` says in words which changes of the whole cluster are under way, or
    that this cannot be told."""

    pods: tuple[DnsServerPod, ...] | None = None
    addresses: Mapping[str, str] = msgspec.field(default_factory=dict)
    planned: tuple[str, ...] = ()


class FactsReader:
    """Reads the facts about the DNS pods of `namespace`."""

    def __init__(self, client: Client, namespace: str, clock: Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._deployments = Resource(f"{_APPS}/namespaces/{namespace}/deployments", Workload)
        self._clock = clock

    async def read(self, labels: str) -> DnsFacts:
        """Return which pods `labels` select, as in `Resource`; empty: nobody knows which are meant. An API server that
        does not answer is unknown, never evidence."""
        if not labels:
            return DnsFacts()
        found = await _listed(self._client, Resource(pods(self._namespace), RestartablePod, labels=labels))
        if isinstance(found, ApiError):
            return DnsFacts()
        now = self._clock.wall()
        return DnsFacts(
            pods=tuple(pod_facts(pod, now) for pod in found),
            addresses={pod.metadata.uid: pod.status.pod_ip for pod in found},
        )

    async def explain(self, facts: DnsFacts) -> DnsFacts:
        """Return the facts with what may explain a silence: rollouts, and the state of the pods' nodes. It is read
        only where a pod is silent, to spare the API server."""
        names = {pod.node for pod in facts.pods or () if pod.node}
        nodes = {name: await self._node(name) for name in names}
        with_nodes = tuple(on_node(pod, nodes.get(pod.node)) for pod in facts.pods or ())
        return replace(facts, pods=with_nodes, planned=await self._planned())

    async def _node(self, name: str) -> Node | None:
        try:
            return await self._client.get(f"{NODES}/{name}", Node)
        except ApiError:
            return None

    async def _planned(self) -> tuple[str, ...]:
        """Return the rollouts of DNS and of what runs in the nodes' own network: the CNI, the service proxy, caches."""
        planned: list[str] = []
        daemon_sets = Resource(f"{_APPS}/daemonsets", Workload)
        for kind, resource, rule in (
            ("Deployment", self._deployments, None),
            ("DaemonSet", daemon_sets, daemon_sets_rule()),
        ):
            found = await _listed(self._client, resource)
            if isinstance(found, ApiError):
                grant = f": {rule.line} would grant it" if rule and found.status == 403 else ""
                planned.append(f"what may be a rollout of a {kind}, which is not known ({found.message}{grant})")
                continue
            rolling = (one for one in found if rolls(one, kind))
            planned += [f"a rollout of {kind} {one.metadata.key}" for one in rolling if _matters(one, kind)]
        return tuple(planned)


def pod_facts(pod: RestartablePod, now: float) -> DnsServerPod:
    """Return what decides on the restart of a pod at `now` (Unix seconds), as far as the pod itself tells it."""
    ready = find_condition(pod.status.conditions, "Ready")
    since = ready.since if ready is not None else 0.0
    meta = pod.metadata
    return DnsServerPod(
        uid=meta.uid,
        name=meta.name,
        namespace=meta.namespace,
        node=pod.spec.node_name,
        phase=pod.status.phase,
        ready=ready is not None and ready.status == "True",
        running_for=max(0.0, now - since) if since else 0.0,
        restarts=sum(status.restart_count for status in pod.status.container_statuses),
        owner=next((owner.kind for owner in meta.owner_references if owner.controller), ""),
        deleting=meta.deletion_timestamp is not None,
    )


def on_node(pod: DnsServerPod, node: Node | None) -> DnsServerPod:
    """Return the pod with what its node says, None where that is not known."""
    if node is None:
        return pod
    up = find_condition(node.status.conditions, "Ready")
    planned = "its node is cordoned" if node.spec.unschedulable else ""
    return replace(pod, node_ready=up.status == "True" if up is not None else None, planned=planned)


def rolls(workload: Workload, kind: str) -> bool:
    """Return whether a rollout is under way: pods of another template are there or are to be made. One that is paused,
    left to people, or over its time limit is none: it may stay so for ever."""
    spec, status = workload.spec, workload.status
    if spec.paused or any(_timed_out(row.reason) for row in status.conditions):
        return False
    if status.observed_generation < workload.metadata.generation:
        return True
    if kind == "DaemonSet":
        automatic = spec.update_strategy.type != "OnDelete"
        return automatic and status.updated_number_scheduled < status.desired_number_scheduled
    wanted = 1 if spec.replicas is None else spec.replicas
    return status.updated_replicas < wanted or status.replicas > status.updated_replicas


def _timed_out(reason: str) -> bool:
    return reason == _TIMED_OUT


def _matters(workload: Workload, kind: str) -> bool:
    return kind != "DaemonSet" or workload.spec.template.spec.host_network


async def _listed(client: Client, resource: Resource[T]) -> Iterable[T] | ApiError:
    try:
        return (await client.list(resource)).items
    except ApiError as error:
        return error

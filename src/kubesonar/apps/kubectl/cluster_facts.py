"""Takes what Kubernetes tells of an installation into the support archive: versions, nodes, pods, configuration,
logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from kubesonar.apps.client.archive import ArchiveWriter
from kubesonar.apps.kubectl.release import PART_OF, Release, ReleasePod
from kubesonar.apps.support.redaction import redacted
from kubesonar.core.encoding import format_json
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import Object, ObjectCondition, ObjectPart, ObjectWord
from kubesonar.kube.resource import NODES, Resource

LOG_LINES, LOG_BYTES = 2_000, 1 << 20
"""Most lines and bytes of one pod's log, the latest ones."""

LOGS = 40
"""Pods whose logs are taken, collectors first. More: the API server is asked for that many megabytes."""

_IDENTIFYING = frozenset({"machineID", "systemUUID", "bootID"})
"""Facts of a node that tell nothing of its network and name the machine for ever."""

T = TypeVar("T", bound=Object)


class _NodeStatus(ObjectPart, frozen=True):
    node_info: dict[str, ObjectWord] = msgspec.field(default_factory=dict)
    conditions: tuple[ObjectCondition, ...] = ()


class _SupportNode(Object, frozen=True):
    status: _NodeStatus = _NodeStatus()


class _ConfigMap(Object, frozen=True):
    data: dict[str, str] = msgspec.field(default_factory=dict)


async def take_cluster(writer: ArchiveWriter, client: Client, release: Release) -> None:
    """Add what Kubernetes tells; what this user may not read is left out, with the right that is missing."""
    await _version(writer, client)
    nodes = await _listed(writer, client, "nodes.json", Resource(NODES, _SupportNode))
    if nodes:
        writer.add("nodes.json", format_json([_node(node) for node in nodes]))
    pods = [*release.collectors, *release.agents]
    writer.add("pods.json", format_json([_pod(pod) for pod in pods]))
    place = f"/api/v1/namespaces/{release.namespace}"
    labels = f"{PART_OF}=kubesonar"
    for each in await _listed(writer, client, "configuration", Resource(f"{place}/configmaps", _ConfigMap, labels)):
        for name, text in each.data.items():
            writer.add(f"configuration/{each.metadata.name}/{name}", redacted(text).encode())
    for pod in pods[:LOGS]:
        await _log(writer, client, place, pod.metadata.name)
    if len(pods) > LOGS:
        writer.left_out.append(f"logs of {len(pods) - LOGS} more pods")


async def _version(writer: ArchiveWriter, client: Client) -> None:
    try:
        writer.add("kubernetes.json", format_json(await client.get("/version", dict[str, str])))
    except ApiError as error:
        writer.left_out.append(f"kubernetes.json: {error}")


async def _listed(writer: ArchiveWriter, client: Client, what: str, resource: Resource[T]) -> Sequence[T]:
    try:
        return (await client.list(resource)).items
    except ApiError as error:
        writer.left_out.append(f"{what}: {error}")
        return ()


async def _log(writer: ArchiveWriter, client: Client, place: str, pod: str) -> None:
    query = (("tailLines", str(LOG_LINES)), ("limitBytes", str(LOG_BYTES)))
    try:
        writer.add(f"logs/{pod}.log", await client.read(f"{place}/pods/{pod}/log", query, LOG_BYTES))
    except ApiError as error:
        writer.left_out.append(f"logs/{pod}.log: {error}")


def _node(node: _SupportNode) -> dict[str, object]:
    conditions = {each.type: each.status for each in node.status.conditions}
    facts = {name: value for name, value in node.status.node_info.items() if name not in _IDENTIFYING}
    return {"name": node.metadata.name, **facts, "conditions": conditions}


def _pod(pod: ReleasePod) -> dict[str, object]:
    return {
        "name": pod.metadata.name,
        "node": pod.spec.node_name,
        "labels": pod.metadata.labels,
        "created": pod.metadata.creation_timestamp,
        "ready": pod.ready,
        "images": [container.image for container in pod.spec.containers],
    }

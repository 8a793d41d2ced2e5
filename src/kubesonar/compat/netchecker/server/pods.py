"""The pods of agents, as the API server lists them."""

from __future__ import annotations

import msgspec

from kubesonar.kube.client import Client
from kubesonar.kube.resource import Resource, pods
from kubesonar.kube.types import Pod

_SELECTOR = "app in (netchecker-agent,netchecker-agent-hostnet)"


class AgentPod(msgspec.Struct, frozen=True):
    """A pod of an agent, in any namespace and phase; `node` is empty before it is scheduled."""

    name: str
    node: str


class AgentPods:
    """Lists them anew for each answer, which needs the right to list pods and no more."""

    def __init__(self, client: Client) -> None:
        self.nodes: dict[str, str] = {}
        """The node of each pod, as it was listed last."""
        self._client = client
        self._resource = Resource(pods(), Pod, labels=_SELECTOR)

    async def all(self) -> list[AgentPod]:
        """Return the pods in the API server's order. Raises ApiError."""
        listing = await self._client.list(self._resource)
        found = [AgentPod(pod.metadata.name, pod.spec.node_name) for pod in listing.items]
        self.nodes = {pod.name: pod.node for pod in found}
        return found


def label_of(node: str, pod: str) -> str:
    """Return how metrics name an agent: by its node and network, which the name of its pod tells."""
    return f"{node}-{'host' if 'hostnet' in pod else 'private'}_network"


NOBODY = label_of("", "")
"""The label by which metrics name reports that are none, or that name no node."""

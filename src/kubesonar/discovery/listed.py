"""A copy of a resource that is listed, not watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic

from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import T
from kubesonar.kube.resource import Resource


class ListedSource(Generic[T]):
    """What the last good list held, with the attributes of `kube.reflector.Reflector`. When to list is for those who
    derive from it."""

    def __init__(self, client: Client, resource: Resource[T]) -> None:
        self.items: Mapping[str, T] = {}
        self.synced, self.trouble, self.forbidden = False, "", ""
        self._client = client
        self._resource = resource

    async def _list(self) -> float:
        """Lists once; how long the API server wants to be left alone (s)."""
        try:
            listing = await self._client.list(self._resource)
        except ApiError as error:
            self.trouble = f"{self._resource.words}: {error}"
            self.forbidden = f"list {self._resource.words}" if error.status == 403 else ""
            return error.retry_after
        self.items = {item.metadata.key: item for item in listing.items}
        self.synced, self.trouble, self.forbidden = True, "", ""
        return 0.0

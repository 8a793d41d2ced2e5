"""Restarts a pod: evicts it, or deletes it where that was asked for."""

from __future__ import annotations

import msgspec

from kubesonar.core.encoding import encode_json
from kubesonar.core.remedy.events import Eviction
from kubesonar.doctor.rights import Rule
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import pods

_BUSY = 503
"""Status of an API server that turned the request away before it did anything."""


_BUDGETS = "PodDisruptionBudget"
"""Word in a status 500 that is no failure of the API server's, but says that several budgets match."""


class _Done(msgspec.Struct, frozen=True):
    """Whatever the API server says of what it did."""


class PodRestarter:
    """Removes pods, so that their owner makes new ones. An eviction respects PodDisruptionBudgets; with `delete` a pod
    is deleted instead, which does not. Only the pod of that uid is meant, never a successor of its name."""

    def __init__(self, client: Client, *, delete: bool = False) -> None:
        self._client = client
        self._delete = delete

    async def restart(self, namespace: str, name: str, uid: str) -> tuple[Eviction, str]:
        """Remove the pod; return what became of it, with the API server's sentence where it refused."""
        only_this = {"preconditions": {"uid": uid}}
        try:
            if self._delete:
                await self._client.send("DELETE", f"{pods(namespace)}/{name}", encode_json(only_this), _Done)
            else:
                body = {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": name, "namespace": namespace},
                    "deleteOptions": only_this,
                }
                await self._client.send("POST", f"{pods(namespace)}/{name}/eviction", encode_json(body), _Done)
        except ApiError as error:
            return self._refused(namespace, error)
        return Eviction.DONE, ""

    def _refused(self, namespace: str, error: ApiError) -> tuple[Eviction, str]:
        sentence = error.cause or error.message
        if error.status in (404, 409):  # 409: the uid is another one's by now
            return Eviction.GONE, sentence
        if error.status == 429:
            return Eviction.BLOCKED, sentence
        if error.status == 403:
            return Eviction.REFUSED, f"{sentence}; {self._rule(namespace).line} would grant it"
        if error.status == 500 and _BUDGETS in sentence:
            return Eviction.REFUSED, sentence  # several match, and it stays so until an operator changes them
        if 400 <= error.status < 500:
            return Eviction.REFUSED, sentence
        if error.status == _BUSY:
            return Eviction.BLOCKED, sentence
        return Eviction.UNCERTAIN, sentence

    def _rule(self, namespace: str) -> Rule:
        if self._delete:
            return Rule(namespace, "", "pods", ("delete",))
        return Rule(namespace, "", "pods/eviction", ("create",))

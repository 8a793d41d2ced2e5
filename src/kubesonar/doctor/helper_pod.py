"""Asks from a small pod that is made for it (standpoint 3): a bare Pod with a fixed name in the doctor's own namespace.

It has no rights, no token and no root, ends by itself after a while, and is removed after use unless it is kept. One
that a crash left behind is removed at the next start.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.dns_check.questions import AskedServer, AskPlan, DnsAsk, asks_for
from kubesonar.core.dns_check.results import DnsResult
from kubesonar.core.encoding import encode_json
from kubesonar.core.probing.resolv_conf import ResolvConf, parse
from kubesonar.doctor.answers import judge_reply, put
from kubesonar.doctor.dig import DIG_CANNOT, dig_command, read_dig
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.objects import ContainedPod
from kubesonar.doctor.packed_plan import pack_plan
from kubesonar.doctor.rights import HELPER
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import pods
from kubesonar.kube.streaming.exec import ExecResult, exec_in_pod
from kubesonar.model import clip
from kubesonar.runtime.side_by_side import side_by_side

LIFETIME = 900
"""Seconds after which Kubernetes ends the pod by itself (activeDeadlineSeconds): what is left of it by a crash costs
nothing then. Shorter than a look, and it fails; longer, and a forgotten pod runs longer."""

_MARGIN = 120.0
"""Seconds before its end from which a pod is not used for another look, which must not be cut off in its middle."""

_START = 90.0
"""Seconds for the pod to run, its image pulled. Less fails slow registries."""

_PAUSE = 0.3
"""Seconds between two looks at whether the pod runs, or is gone."""

_EXEC = 60.0
"""Most seconds for all questions of one look."""

_AT_ONCE = 8
"""Commands that run in the pod at one time."""

_OUTPUT = 8 << 20
"""Most bytes read of what `kubesonar dns ask` prints: 64 servers, 20 results of 2 kB each, and room."""

_RESOLVER = 65_536
"""Most bytes of the pod's resolv.conf; fewer cut a long search list, more are none."""

_NO_PAIRS = "pairs of A and AAAA were not asked: dig sends one question at a time from a socket"

_NOT_PULLED = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"})
_RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


class HelperOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The helper pod: its namespace, its image, and whether it is kept for the next look."""

    namespace: str
    image: str
    keep: bool = False


class _Answer(msgspec.Struct, frozen=True):
    results: tuple[DnsResult, ...]


class HelperAsker:
    """An `Asker` in the helper pod. `start` it first; `close` removes the pod unless it is kept."""

    def __init__(self, client: Client, options: HelperOptions, rng: random.Random) -> None:
        self.namespace = options.namespace
        self._client = client
        self._options = options
        self._rng = rng
        self._path = f"{pods(options.namespace)}/{HELPER}"
        self._by_dig = False
        self._refused = ""
        self._ends = 0.0

    async def start(self) -> None:
        """Remove what an earlier run left, make the pod, and wait until it runs. A pod that runs with the same image
        and is to be kept is taken over. Raises AskFailed."""
        self._ends = asyncio.get_running_loop().time() + LIFETIME - _MARGIN
        try:
            if not await self._taken_over():
                await _until(self._gone, "the helper pod of an earlier run does not go away")
                await self._client.send("POST", pods(self._options.namespace), self._manifest(), ContainedPod)
                await _until(self._runs, "the helper pod does not run")
        except ApiError as error:
            raise AskFailed(f"the helper pod cannot be made: {error}") from None

    @property
    def untested(self) -> tuple[str, ...]:
        """A sentence for what cannot be asked from here, as far as is known after the first questions."""
        return (_NO_PAIRS,) if self._by_dig else ()

    async def resolver(self) -> ResolvConf:
        """Return the resolver's configuration in the pod, which is that of its node; an empty one where the image
        cannot tell."""
        try:
            done = await self.run(["cat", "/etc/resolv.conf"])
        except ApiError:
            return ResolvConf()
        return parse(done.stdout[:_RESOLVER].decode("utf-8", "replace"))

    async def ask(self, plan: AskPlan) -> list[DnsResult]:
        """Ask in the pod what the plan holds: by `kubesonar dns ask` where the image has it, else by dig. Raises
        AskFailed. A pod whose time is nearly over is made anew before."""
        if asyncio.get_running_loop().time() > self._ends:
            await self.start()
        if not self._by_dig:
            try:
                return await self._by_kubesonar(plan)
            except (ApiError, Undecodable) as error:
                self._refused = clip(str(error))
        try:
            results = await self._all_by_dig(plan)
        except ApiError as error:
            why = f"kubesonar: {self._refused}; dig: {error}"
            raise AskFailed(f"neither kubesonar nor dig runs in the helper pod: {why}") from None
        self._by_dig = True
        return results

    async def run(self, command: list[str], stdin: bytes = b"") -> ExecResult:
        """Run a command in the pod and return what it printed. Raises ApiError."""
        namespace = self._options.namespace
        return await exec_in_pod(
            self._client.credentials, namespace, HELPER, command, stdin=stdin, timeout=_EXEC, limit=_OUTPUT
        )

    async def close(self) -> None:
        """Remove the pod unless it is kept. A failure is left to the pod's own end."""
        if not self._options.keep:
            try:
                await self._delete()
            except ApiError:
                return

    async def _by_kubesonar(self, plan: AskPlan) -> list[DnsResult]:
        done = await self.run(["kubesonar", "dns", "ask", "--json", "--plan", pack_plan(plan)])
        return list(decode_json(done.stdout, _Answer).results)

    async def _all_by_dig(self, plan: AskPlan) -> list[DnsResult]:
        async def one(server: AskedServer, ask: DnsAsk) -> DnsResult:
            question = put(ask, self._rng)
            done = await self.run(dig_command(server, ask, question, plan.timeout))
            reply = read_dig((done.stdout + done.stderr).decode("utf-8", "replace"), done.exit_code, question)
            judged = judge_reply(ask, question, reply)
            return DnsResult(server, ask, judged.outcome, reply.took, 1, judged.said, judged.detail)

        asked = [(server, ask) for server in plan.servers for ask in asks_for(server, plan.asks)]
        works = [partial(one, *pair) for pair in asked if pair[1].purpose not in DIG_CANNOT]
        return await side_by_side(works, _AT_ONCE)

    async def _taken_over(self) -> bool:
        """Return whether a pod is there that can be used as it is."""
        found = await self._found() if self._options.keep else None
        if found is None or found.status.phase != "Running" or found.metadata.deletion_timestamp:
            return False
        return [container.image for container in found.spec.containers] == [self._options.image]

    async def _found(self) -> ContainedPod | None:
        try:
            return await self._client.get(self._path, ContainedPod)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    async def _gone(self) -> bool:
        """Return whether there is no pod; remove one that is there."""
        if await self._found() is None:
            return True
        await self._delete()
        return False

    async def _delete(self) -> None:
        try:
            await self._client.send("DELETE", self._path, encode_json({"gracePeriodSeconds": 0}), msgspec.Raw)
        except ApiError as error:
            if error.status != 404:
                raise

    async def _runs(self) -> bool:
        """Return whether the pod runs. Raises AskFailed where it never will."""
        found = await self._found()
        if found is None:
            raise AskFailed("the helper pod was removed by somebody else")
        for container in found.status.container_statuses:
            if container.state.waiting is not None and container.state.waiting.reason in _NOT_PULLED:
                raise AskFailed(f"the image {self._options.image} cannot be run: {container.state.waiting.reason}")
        if found.status.phase in ("Failed", "Succeeded"):
            raise AskFailed(f"the helper pod ended at once: {found.status.reason or found.status.phase}")
        return found.status.phase == "Running"

    def _manifest(self) -> bytes:
        container = {
            "name": "dns",
            "image": self._options.image,
            "command": ["sleep", str(LIFETIME)],
            "securityContext": _RESTRICTED,
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        }
        spec: dict[str, Any] = {
            "activeDeadlineSeconds": LIFETIME,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "dnsPolicy": "Default",  # the resolver of its node, as the pods of CoreDNS have
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        }
        labels = {"app.kubernetes.io/name": HELPER, "app.kubernetes.io/part-of": "kubesonar"}
        metadata = {"name": HELPER, "namespace": self._options.namespace, "labels": labels}
        return encode_json({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def _until(done: Callable[[], Awaitable[bool]], failure: str) -> None:
    """Ask again until it is done. Raises AskFailed with that sentence after `_START` seconds."""
    try:
        async with asyncio.timeout(_START):
            while True:
                if await done():
                    return
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise AskFailed(f"{failure} within {_START:g} s") from None

"""`kubectl sonar try`: a mesh for some minutes where nothing is installed, one verdict, and nothing left."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import msgspec

from kubesonar.apps.client import asking, check
from kubesonar.apps.kubectl.release import AGENTS_REACHED, ReleasePod
from kubesonar.apps.kubectl.trial_objects import (
    TRIAL_LABEL,
    TRIAL_LIFETIME,
    TRIAL_PORT,
    TrialObject,
    TrialPlan,
    anchor,
    owned,
)
from kubesonar.apps.kubectl.tunnel import PodTunnel
from kubesonar.config import ConfigError
from kubesonar.core.encoding import encode_json
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import Object, ObjectPart, unix_seconds
from kubesonar.kube.resource import Resource, pods
from kubesonar.kube.streaming.forwarder import PodPort
from kubesonar.net.clock import SystemClock

START_TIMEOUT = 120.0
"""Seconds for the agents to run. Less, and a slow registry ends the trial; those that do not run by then are told as
silent."""

_SWEEP_TIMEOUT = 60.0
"""Seconds for the pods to be gone after everything was deleted."""

_POLL = 1.0
"""Seconds between two looks at what has become of the pods."""

_BACKGROUND = encode_json({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
_ENDING = (signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")


class _Identity(ObjectPart, frozen=True):
    uid: str = ""


class _Created(msgspec.Struct, frozen=True):
    metadata: _Identity = _Identity()


class _Job(Object, frozen=True):
    """A Job, of which only its age counts."""


class _DaemonStatus(ObjectPart, frozen=True):
    desired_number_scheduled: int = 0
    number_ready: int = 0


class _DaemonSet(msgspec.Struct, frozen=True):
    status: _DaemonStatus = _DaemonStatus()


def new_plan(namespace: str, image: str) -> TrialPlan:
    """Return a trial with a name that no other has."""
    return TrialPlan(f"kubesonar-try-{secrets.token_hex(3)}", namespace, image)


def run_trial(credentials: Credentials, plan: TrialPlan, seconds: float, rest: Sequence[str]) -> int:
    """Make the mesh, let it measure for `seconds`, print the verdict as `check` with the arguments `rest` does, delete
    everything, and return the exit code. Deletes everything also after Ctrl-C, SIGTERM and SIGHUP, and where the mesh
    could not be made, which raises ConfigError."""
    made: list[TrialObject] = []
    with _signals_raised():
        try:
            found = asking.run_async(_with_client(credentials, lambda client: _mesh(client, plan, made)))
            _tell(
                f"{len(found)} agents run in namespace {plan.namespace} and measure for {seconds:g} s; Ctrl-C ends it"
            )
            time.sleep(seconds)
            ports = [PodPort(plan.namespace, pod.metadata.name, TRIAL_PORT) for pod in found[:AGENTS_REACHED]]
            with PodTunnel(credentials, ports) as tunnel:
                return check.main([*rest, "--timeout", "10", *tunnel.sources])
        except ApiError as error:
            raise ConfigError(f"the trial cannot be made: {error}") from None
        finally:
            asking.run_async(_with_client(credentials, lambda client: _swept(client, plan, made)))


async def _with_client(credentials: Credentials, work: Callable[[Client], Awaitable[T]]) -> T:
    client = Client(credentials)
    try:
        return await work(client)
    finally:
        client.close()


async def _mesh(client: Client, plan: TrialPlan, made: list[TrialObject]) -> Sequence[ReleasePod]:
    """Create the objects and return the agents that run. What is `made` is noted before it is asked for: an answer that
    is lost may follow a deed that is done."""
    await _sweep_old(client, plan.namespace)
    job = anchor(plan)
    made.append(job)
    uid = (await client.send("POST", job.path, encode_json(job.tree), _Created)).metadata.uid
    for each in owned(plan, uid):
        made.append(each)
        await client.send("POST", each.path, encode_json(each.tree), object)
    _tell(f"{plan.name}: waiting for its agents")
    loop = asyncio.get_running_loop()
    until = loop.time() + START_TIMEOUT
    while loop.time() < until:
        status = (await client.get(made[-1].own_path, _DaemonSet)).status
        if 0 < status.desired_number_scheduled <= status.number_ready:
            break
        await asyncio.sleep(_POLL)
    found = [pod for pod in await _pods(client, plan) if pod.agent_port and pod.status.phase == "Running"]
    if not found:
        why = f"kubectl -n {plan.namespace} get events shows why"
        raise ConfigError(f"no agent runs after {START_TIMEOUT:g} s: {why}")
    return found


async def _pods(client: Client, plan: TrialPlan) -> Sequence[ReleasePod]:
    return (await client.list(Resource(pods(plan.namespace), ReleasePod, f"{TRIAL_LABEL}={plan.name}"), "")).items


async def _swept(client: Client, plan: TrialPlan, made: Sequence[TrialObject]) -> None:
    """Delete what was made, the last one first, and wait until the pods are gone; say so, or what is left."""
    left = [each for each in reversed(made) if not await _deleted(client, each)]
    loop = asyncio.get_running_loop()
    until = loop.time() + _SWEEP_TIMEOUT
    while made and not left and (remaining := await _remaining(client, plan)):
        if loop.time() > until:
            _tell(f"{remaining} pods are still ending")
            return
        await asyncio.sleep(_POLL)
    if left:
        kinds = ", ".join(f"{each.tree['kind']} {plan.name}" for each in left)
        _tell(f"not deleted: {kinds}; Kubernetes deletes them {TRIAL_LIFETIME // 60} minutes after their Job's end")
    elif made:
        _tell("everything is deleted")


async def _deleted(client: Client, each: TrialObject) -> bool:
    try:
        await client.send("DELETE", each.own_path, _BACKGROUND, object)
    except ApiError as error:
        return error.status == 404
    return True


async def _remaining(client: Client, plan: TrialPlan) -> int:
    try:
        return len(await _pods(client, plan))
    except ApiError:
        return 0


async def _sweep_old(client: Client, namespace: str) -> None:
    """Delete the Jobs of trials that are long over: where nobody deletes finished Jobs, they would stay for ever."""
    place = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    now = SystemClock().wall()
    for job in (await client.list(Resource(place, _Job, TRIAL_LABEL))).items:
        created = unix_seconds(job.metadata.creation_timestamp)
        if created and now - created > 2 * TRIAL_LIFETIME:
            await client.send("DELETE", f"{place}/{job.metadata.name}", _BACKGROUND, object)


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Let SIGTERM and SIGHUP, as of a terminal that is closed, raise SystemExit, so that what follows is not left."""

    def end(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, end) for each in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")

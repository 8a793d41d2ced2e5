"""One process that lists and watches pods, for bench/kube.py; run with what it may import.

`_kube_child.py WAY MOUNT EVENTS`: says what it took as a line of JSON after the start, after the list, and after so
many events. MOUNT is where its service account lies. WAY: "ours"; "lightkube" keeps the objects that library makes,
"reduced" only what an agent needs of them."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from importlib import import_module
from typing import Any

import uvloop


def say(step: str, **more: int) -> None:
    """CPU so far (s) and memory (MiB)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status") as file:  # noqa: PTH123
        status = dict(line.split(":", 1) for line in file)
    rss, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    facts = {"cpu": used.ru_utime + used.ru_stime, "rss": rss, "peak": peak}
    print(json.dumps({"step": step, **facts, **more}), flush=True)


async def ours(mount: str, events: int) -> None:
    import random

    from kubesonar.kube.auth.loading_rules import in_cluster
    from kubesonar.kube.client import Client
    from kubesonar.kube.reflector import Reflector
    from kubesonar.kube.reflector_schedule import ReflectorPeriods
    from kubesonar.kube.resource import Resource, pods
    from kubesonar.kube.types import Pod

    client, seen, done = Client(in_cluster(os.environ, mount)), 0, asyncio.Event()

    def changed() -> None:
        nonlocal seen
        if not seen:
            say("listed", objects=len(reflector.items))
        seen += 1
        if seen > events:
            done.set()

    options = ReflectorPeriods(start=0)
    reflector = Reflector(client, Resource(pods("default"), Pod), changed, rng=random.Random(1), periods=options)
    say("started")
    task = asyncio.create_task(reflector.run())
    await done.wait()
    say("watched", objects=len(reflector.items))
    task.cancel()


async def lightkube(mount: str, events: int, reduced: bool = False) -> None:
    library, core = import_module("lightkube"), import_module("lightkube.resources.core_v1")

    def kept(pod: Any) -> Any:
        if not reduced:
            return pod
        ready = [one.status for one in pod.status.conditions if one.type == "Ready"]
        meta, ips = pod.metadata, [ip.ip for ip in pod.status.podIPs or ()]
        return meta.name, meta.labels, meta.deletionTimestamp, pod.spec.nodeName, ips, pod.status.phase, ready

    client = library.AsyncClient(library.KubeConfig.from_service_account(mount))
    say("started")
    found = client.list(core.Pod, namespace="default")
    items = {pod.metadata.name: kept(pod) async for pod in found}
    say("listed", objects=len(items))
    seen = 0
    async for _, pod in client.watch(core.Pod, namespace="default", resource_version=found.resourceVersion):
        items[pod.metadata.name] = kept(pod)
        seen += 1
        if seen == events:
            break
    say("watched", objects=len(items))


def main() -> None:
    way, mount, events = sys.argv[1], sys.argv[2], int(sys.argv[3])
    work = ours(mount, events) if way == "ours" else lightkube(mount, events, way == "reduced")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    main()

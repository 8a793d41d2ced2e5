"""Membership in virtual time: false deaths with and without what guards against them, load by number of members, and
how long it takes until a death is announced. Writes bench/results/membership.md.

One section is run by naming it (deaths, load, detection); its rows go to standard output. Without arguments all
are run, two at a time, and the page is written.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from time import process_time

from kubesonar.core.membership.events import Announce, HostProbed, MembershipAction, ProbeHost
from kubesonar.core.membership.instance import MembershipOptions
from kubesonar.core.membership.messages import Reachability
from kubesonar.core.membership.swim.options import SuspicionOptions
from kubesonar.model import Condition, Member
from kubesonar.sim.node import SimNode
from kubesonar.sim.oracles import Oracles
from kubesonar.sim.world import SimWorld

RESULTS = Path(__file__).parent / "results/membership.md"
LOSS = 0.02
STARVED, LONGEST = 0.05, 10.0
LIFEGUARD = MembershipOptions()
NO_LIFEGUARD = MembershipOptions(suspicion=SuspicionOptions(stretch=0))
HOUR = 3600.0


class Counting(SimWorld):
    """A world that counts how often a host was looked at: once by each watcher and witness of a suspicion."""

    looks = 0

    def _probe_host(self, node: SimNode, probe: ProbeHost) -> None:
        self.looks += 1
        super()._probe_host(node, probe)


class Blind(SimWorld):
    """A world in which nobody can look at a kernel: plain SWIM."""

    def _probe_host(self, node: SimNode, probe: ProbeHost) -> None:
        result = HostProbed(probe.number, probe.target, Reachability.SILENT)
        self.after(probe.timeout, self._host_probed, node, node.epoch, result)


def settled(world: SimWorld, members: int, zones: int = 3) -> SimWorld:
    """All members started within a second, and left alone for a while."""
    world.populate(
        Member(f"m{i}", f"node-{i}", (f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}",), 7473, zone=f"z{i % zones}")
        for i in range(members)
    )
    for name in world.nodes:
        world.after(world.rng.random(), world.start, name)
    world.run(40.0)
    return world


# False deaths


def deaths(label: str, kind: type[SimWorld], options: MembershipOptions, members: int, hours: float) -> str:
    """So many hours in which every agent is now and then not run for up to ten seconds, and packets are lost."""
    began = process_time()
    world = settled(kind(Random(members), options), members)
    oracles = Oracles(world)
    world.watch.append(oracles.act)
    starved(world, hours)
    told = oracles.announced
    wrong = sum(told.get(what, 0) for what in (Condition.DEAD, Condition.GONE))  # nobody dies here
    frozen = told.get(Condition.FROZEN, 0)
    seconds = process_time() - began
    return f"| {label} | {members:,} | {hours:g} h | {wrong} | {oracles.false_freezes} | {frozen:,} | {seconds:.0f} s |"


def starved(world: SimWorld, hours: float, longest: float = LONGEST) -> None:
    """Lets so many hours pass with loss and starvation."""
    members = len(world.nodes)
    world.network.loss = LOSS
    names, rng = list(world.nodes), Random(7)
    rate = members * STARVED / (longest / 2)
    end = world.now + hours * HOUR
    while world.now < end:
        world.run(world.now + rng.expovariate(rate))
        world.starve(rng.choice(names), rng.uniform(0, longest))


def suspicions(label: str, options: MembershipOptions, members: int, longest: float) -> str:
    """What one hour costs in looks, most of them in vain, where agents are starved for up to `longest` seconds."""
    world = Counting(Random(members), options)
    settled(world, members)
    world.looks = 0
    starved(world, 1, longest)
    return f"| {label} | {members:,} | {longest:g} s | {world.looks / members:,.0f} |"


DEATHS = {
    "deaths-100": lambda: deaths("defaults", SimWorld, LIFEGUARD, 100, 24),
    "deaths-1000": lambda: deaths("defaults", SimWorld, LIFEGUARD, 1000, 2),
    "deaths-bare-100": lambda: deaths("without Lifeguard", SimWorld, NO_LIFEGUARD, 100, 2),
    "deaths-bare-1000": lambda: deaths("without Lifeguard", SimWorld, NO_LIFEGUARD, 1000, 0.5),
    "deaths-blind-100": lambda: deaths("without a look at the kernel", Blind, LIFEGUARD, 100, 2),
    "deaths-plain-100": lambda: deaths("without either (plain SWIM)", Blind, NO_LIFEGUARD, 100, 2),
}

SUSPICIONS = {
    f"suspicions-{name}-{longest}": (label, options, 100, longest)
    for longest in (2.0, LONGEST)
    for name, label, options in (("with", "defaults", LIFEGUARD), ("bare", "without Lifeguard", NO_LIFEGUARD))
}

# Load


def load(members: int, loss: float) -> str:
    """Messages and bytes that a member sends in a second, while nothing happens."""
    world = settled(SimWorld(Random(members), weigh=True), members)
    world.network.loss = loss
    world.run(world.now + 5)
    before, sent, size = {name: node.sent for name, node in world.nodes.items()}, world.messages, world.bytes
    seconds = 60.0
    world.run(world.now + seconds)
    each = sorted((node.sent - before[name]) / seconds for name, node in world.nodes.items())
    messages, total = world.messages - sent, world.bytes - size
    return (
        f"| {members:,} | {loss:.0%} | {messages / members / seconds:.1f} | {total / members / seconds:,.0f} B "
        f"| {statistics.median(each):.1f} | {each[-1]:,.0f} |"
    )


LOAD = {f"load-{n}-{loss}": (n, loss) for n in (10, 30, 100, 300, 1000, 3000, 5000) for loss in (0.0, LOSS)}

# Detection


def detection(members: int, trials: int) -> Iterator[str]:
    """Seconds from a fault to its announcement, of any member but the coordinator, and of the coordinator."""
    for fault in ("kill", "cut", "freeze"):
        world = settled(SimWorld(Random(members)), members)
        told: dict[str, float] = {}
        world.watch.append(_note(told))
        times = [_trial(world, told, fault, coordinator=False) for _ in range(trials)]
        heads = [_trial(world, told, fault, coordinator=True) for _ in range(max(3, trials // 4))]
        yield (
            f"| {members:,} | {fault} | {statistics.mean(times):.1f} s | {max(times):.1f} s "
            f"| {statistics.mean(heads):.1f} s | {max(heads):.1f} s |"
        )


def _note(told: dict[str, float]) -> Callable[[float, SimNode, MembershipAction], None]:
    def note(now: float, _: SimNode, action: MembershipAction) -> None:
        if isinstance(action, Announce) and action.what is not Condition.BACK:
            told.setdefault(action.member, now)

    return note


def _trial(world: SimWorld, told: dict[str, float], fault: str, *, coordinator: bool) -> float:
    heads = [n for n, node in world.nodes.items() if node.machine and node.machine.announces(world.now + node.offset)]
    others = [name for name in world.nodes if name not in heads]
    name = heads[0] if coordinator else world.rng.choice(others)
    world.run(world.now + world.rng.random())
    told.clear()
    began = world.now
    if fault == "kill":
        world.kill(name)
    elif fault == "cut":
        world.network.cut.add(name)
    else:
        world.pause(name)
    while name not in told and world.now < began + 30:
        world.run(world.now + 0.1)
    world.network.heal()
    world.resume(name)
    world.start(name)
    world.run(world.now + 15)
    return told.get(name, float("inf")) - began


DETECTION = (5, 10, 15, 50, 100, 300, 1000)


def section(name: str) -> None:
    """Prints the rows of one section."""
    if name in DEATHS:
        print(DEATHS[name](), flush=True)
    elif name in SUSPICIONS:
        print(suspicions(*SUSPICIONS[name]), flush=True)
    elif name in LOAD:
        print(load(*LOAD[name]), flush=True)
    else:
        members = int(name.removeprefix("detection-"))
        for row in detection(members, 20):
            print(row, flush=True)


def _run(name: str) -> str:
    done = subprocess.run([sys.executable, "-m", "bench.membership", name], capture_output=True, text=True, check=True)
    rows = done.stdout.rstrip("\n")
    print(rows, file=sys.stderr, flush=True)
    return rows


def main() -> None:
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            section(name)
        return
    with ThreadPoolExecutor(2) as pool:
        rows = {
            title: list(pool.map(_run, names))
            for title, names in (
                ("deaths", list(DEATHS)),
                ("suspicions", list(SUSPICIONS)),
                ("load", list(LOAD)),
                ("detection", [f"detection-{n}" for n in DETECTION]),
            )
        }
    RESULTS.write_text(page(rows))


def page(rows: dict[str, list[str]]) -> str:
    """The page of results."""
    return "\n".join(
        [
            "# Membership in virtual time",
            "",
            f"Python {sys.version.split()[0]}; 3 zones, 1 to 1.5 ms one way, native defaults. Written by",
            "`bench/membership.py`; the seed is the number of members.",
            "",
            "## False deaths",
            "",
            f"{LOSS:.0%} of all packets are lost each way, and at any time {STARVED:.0%} of the agents are not run,",
            f"each for up to {LONGEST:.0f} s. Nobody dies, so every member announced as dead or gone is a false death.",
            "An agent that is not run for longer than detection takes is frozen, and told so: that is no error, and",
            "counted apart; false is one that had been running for five seconds.",
            "",
            "*Without Lifeguard*: `suspicion.stretch: 0`, a starved member neither waits longer nor weighs less.",
            "*Without a look at the kernel*: no handshake and no ICMP, only agents' answers.",
            "",
            "| | members | time | false deaths | false freezes | freezes told | CPU |",
            "|---|---|---|---|---|---|---|",
            *rows["deaths"],
            "",
            "With the look at the kernel and two witnesses nobody is called dead in vain, with Lifeguard or without;",
            "without the look, whoever is not run for long enough is. Lifeguard's part is small here: most suspicions",
            "are of members that really were not run. Looks at a host, by watchers and witnesses, a member in one",
            "hour:",
            "",
            "| | members | starved for up to | looks |",
            "|---|---|---|---|",
            *rows["suspicions"],
            "",
            "## Load",
            "",
            "What a member sends while nothing happens: mean of all, median, and the busiest, which is the coordinator",
            "(it sends at most `election.pace` beacons a second). Bytes are UDP payloads, signature included.",
            "",
            "| members | loss | messages/s a member | bytes/s a member | median | coordinator |",
            "|---|---|---|---|---|---|",
            *rows["load"],
            "",
            "## Detection",
            "",
            "From the fault to the action *announce*: 20 trials each of a member that is not the coordinator, 5 of the",
            "coordinator. *Kill*: kill -9 of the agent (told: gone); *cut*: no packet passes (dead); *freeze*: the",
            "process is stopped (frozen).",
            "",
            "| members | fault | mean | worst | coordinator, mean | coordinator, worst |",
            "|---|---|---|---|---|---|",
            *rows["detection"],
            "",
        ]
    )


if __name__ == "__main__":
    main()

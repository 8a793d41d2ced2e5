"""Faults of the lab on real packets at default rates: how soon each is named, what else is, and how soon it is over.

`python -m bench.lab_faults SET [NODES [SEED]]` (default 5 nodes) runs one of `SETS` and puts its table into
bench/results/lab_faults.md, in place of the one before it. One lab serves all faults of a set; each is injected when
the mesh is well, watched with one look each half second (as `kubesonar check --watch` looks), cleared, and watched
until the mesh is well again. `SEED` decides what the sets `pairs` and `two` draw.
"""

from __future__ import annotations

import os
import platform
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import AgentAccess
from kubesonar.apps.client.sources import sources_of
from kubesonar.apps.client.watch import Watch
from tests.scenarios.running_lab import RunningLab, await_good

RESULT = Path(__file__).with_name("results") / "lab_faults.md"
WATCHED = 40.0
LOSSY = 60.0
"""Seconds for which a slow link is watched, and two faults of which one lets some packets through."""
FAINT = 120.0
"""Seconds for which faults are watched that lose less than a twentieth: what is faint is told late."""
STAYS = 15.0
"""Seconds for which a fault is watched after it alone was named: what is said wrongly then counts as well."""
SILENCE = 120.0
PAUSE = 0.5
SEED = 20261128
PAIRS = 30

Named = set[tuple[str, str]]


class Broken(msgspec.Struct, frozen=True):
    """Orders to the lab that break something together, and the parts with their subjects that have to be named."""

    orders: tuple[str, ...]
    expected: frozenset[tuple[str, str]]
    seconds: float = WATCHED


def _broken(orders: str, *expected: str, seconds: float = WATCHED) -> Broken:
    named = frozenset((part, subject) for part, _, subject in (each.partition(" ") for each in expected))
    return Broken(tuple(orders.split(" + ")), named, seconds)


SERVERS = (
    _broken("dns dns-1 udp", "dns_udp dns-1"),
    _broken("drop *>dns-2", "dns_server dns-2"),
    _broken("drop *>api", "api_server api"),
    _broken("drop *>ingress", "ingress ingress"),
)
"""Faults of DNS servers and plain targets, which are the same in every lab."""


def each_kind(nodes: int, _seed: int) -> list[Broken]:
    """Every fault of a lab of so many nodes without a DNS Service."""
    a, b, c = "node-1", "node-2", f"node-{nodes}"
    return [
        _broken(f"cut {b}", f"node {b}"),
        _broken(f"drop *>{c}", f"node_in {c}"),
        _broken(f"drop {c}>*", f"node_out {c}"),
        _broken(f"loss *>{a} 30", f"node_in {a}"),
        _broken(f"loss {a}>* 30", f"node_out {a}"),
        _broken(f"drop {a}>{c}", f"pair {a}>{c}"),
        _broken(f"udp {a}>{c}", f"pair_udp {a}>{c}"),
        _broken(f"port {a}>{c} tcp/7473", f"pair_port {a}>{c} tcp/7473"),
        _broken(f"mtu {b}>{c} 1300", f"pair_mtu {b}>{c}"),
        _broken(f"podnet {c}", f"pod_network {c}"),
        _broken(f"rate {c} 2000", f"link_rate {c}", seconds=LOSSY),
        _broken(f"kill {b}", f"agent_gone {b}"),
        _broken(f"pause {b}", f"agent_frozen {b}"),
        *SERVERS,
        _broken(f"state {b} draining + cut {b}"),
    ]


def siblings(nodes: int, _seed: int) -> list[Broken]:
    """Other amounts, sizes and ways of the same kinds, and two at once."""
    a, b, c = "node-1", "node-2", f"node-{nodes}"
    pair = f"{a}>{c}"
    return [
        _broken(f"loss {pair} 60", f"pair {pair}"),
        _broken(f"loss {pair} 7", f"pair {pair}"),
        _broken(f"loss {pair} 3", f"pair {pair}", seconds=FAINT),
        _broken(f"loss {pair} 1", f"pair {pair}", seconds=2 * FAINT),
        _broken(f"loss *>{b} 7", f"node_in {b}"),
        _broken(f"loss *>{b} 3", f"node_in {b}", seconds=FAINT),
        _broken(f"loss {b}>* 60", f"node_out {b}"),
        _broken(f"loss {b}>* 1", f"node_out {b}", seconds=2 * FAINT),
        _broken(f"loss *>{b} 30 + loss {b}>* 30", f"node {b}"),
        _broken(f"loss {a}>{c} 30 + loss {c}>{a} 30", f"pair {a}>{c}", f"pair {c}>{a}"),
        _broken(f"udp {c}>{b}", f"pair_udp {c}>{b}"),
        _broken(f"port {a}>api tcp/6443", f"pair_port {a}>api tcp/6443"),
        _broken(f"drop {b}>api", f"pair_port {b}>api tcp/6443"),
        _broken(f"mtu {pair} 1499", f"pair_mtu {pair}"),
        _broken(f"mtu {pair} 1401", f"pair_mtu {pair}"),
        _broken(f"mtu {pair} 601", f"pair_mtu {pair}"),
        _broken(f"mtu *>{b} 1450", f"node_mtu {b}"),
        _broken("loss *>api 30", "api_server api"),
        _broken("loss *>ingress 60", "ingress ingress"),
        _broken("loss *>dns-1 60", "dns_server dns-1"),
        _broken("drop *>dns-1 + drop *>dns-2", "dns_service dns-service"),
        _broken("dns dns-1 udp + dns dns-2 udp", "dns_udp dns-1", "dns_udp dns-2"),
        _broken(f"cut {b} + drop *>api", f"node {b}", "api_server api"),
        _broken(f"podnet {b} + loss {pair} 60", f"pod_network {b}", f"pair {pair}"),
        _broken(f"kill {b} + drop *>dns-1", f"agent_gone {b}", "dns_server dns-1"),
        _broken(f"drop {pair} + udp {c}>{b}", f"pair {pair}", f"pair_udp {c}>{b}"),
    ]


def with_dns(nodes: int, _seed: int) -> list[Broken]:
    """The faults of a lab with a DNS Service, caches and an upstream."""
    a, c = "node-1", f"node-{nodes}"
    return [
        _broken(f"vip {c}", f"dns_node {c}>dns"),
        _broken(f"cache {a}", f"dns_cache {a}"),
        _broken("upstream", "dns_upstream upstream"),
        _broken("mtu dns-1>* 1000", "dns_large dns-1"),
        _broken("drop *>dns-1", "dns_server dns-1"),
        _broken("dns dns-2 udp", "dns_udp dns-2"),
        _broken(f"cut {c}", f"node {c}"),
        _broken(f"vip {c} + cache {a}", f"dns_node {c}>dns", f"dns_cache {a}"),
    ]


def random_pairs(nodes: int, seed: int) -> list[Broken]:
    """So many faults of random pairs of nodes, dead or lossy one way."""
    rng = random.Random(seed)
    drawn = []
    for number in range(PAIRS):
        ends = ">".join(_two_nodes(nodes, rng))
        drawn.append(_broken(f"drop {ends}" if number % 2 else f"loss {ends} 30", f"pair {ends}"))
    return drawn


def two_at_once(nodes: int, seed: int) -> list[Broken]:
    """So many random pairs of faults, of which none hides the other."""
    rng = random.Random(seed)
    drawn: dict[frozenset[tuple[str, str]], Broken] = {}
    while len(drawn) < PAIRS:
        one, other = (rng.choice(_faults_of(*_two_nodes(nodes, rng))) for _ in range(2))
        if not (_hides(one, other) or _hides(other, one)):
            both = Broken(one.orders + other.orders, one.expected | other.expected, max(one.seconds, other.seconds))
            drawn.setdefault(both.expected, both)
    return [*drawn.values()]


def _two_nodes(nodes: int, rng: random.Random) -> list[str]:
    return [f"node-{number}" for number in rng.sample(range(1, nodes + 1), 2)]


def _faults_of(a: str, b: str) -> list[Broken]:
    pair = f"{a}>{b}"
    return [
        _broken(f"cut {a}", f"node {a}"),
        _broken(f"drop *>{a}", f"node_in {a}"),
        _broken(f"drop {a}>*", f"node_out {a}"),
        _broken(f"drop {pair}", f"pair {pair}"),
        _broken(f"udp {pair}", f"pair_udp {pair}"),
        _broken(f"port {pair} tcp/7473", f"pair_port {pair} tcp/7473"),
        _broken(f"mtu {pair} 1300", f"pair_mtu {pair}"),
        _broken(f"family {pair} ipv6", f"pair_family {pair} ipv6"),
        _broken(f"loss {pair} 60", f"pair {pair}", seconds=LOSSY),
        _broken(f"loss *>{a} 30", f"node_in {a}", seconds=LOSSY),
        _broken(f"loss {a}>* 30", f"node_out {a}", seconds=LOSSY),
        _broken(f"podnet {a}", f"pod_network {a}"),
        _broken(f"kill {a}", f"agent_gone {a}"),
        _broken(f"pause {a}", f"agent_frozen {a}"),
        *SERVERS,
    ]


def _hides(one: Broken, other: Broken) -> bool:
    """Whether nothing, or something wider, can be told of the other: it lies at a place where the one lets nothing
    through, or is of the same kind at the same place, or both are of the DNS servers, of which all would be told."""
    (order,), (behind,) = one.orders, other.orders
    places, others = ({*re.findall(r"[a-z]+-\d+|api|ingress", each)} for each in (order, behind))
    whole = "*" in order or order.startswith(("cut", "kill", "pause")) or order.split()[0] == behind.split()[0]
    return (bool(places & others) and (whole or places == others)) or ("dns-" in order and "dns-" in behind)


SETS: dict[str, Callable[[int, int], list[Broken]]] = {
    "each": each_kind,
    "siblings": siblings,
    "dns": with_dns,
    "pairs": random_pairs,
    "two": two_at_once,
}


class Trial(msgspec.Struct):
    """One fault: seconds until it alone was named and until silence (None: never), looks that named somebody else and
    what these said."""

    fault: str
    right: float | None = None
    silence: float | None = None
    looks: int = 0
    wrong: int = 0
    said: set[str] = msgspec.field(default_factory=set)


def trial(lab: RunningLab, watch: Watch, broken: Broken) -> Trial:
    """Break it, watch, clear it, watch until silence."""
    found = Trial(" + ".join(broken.orders))
    for order in broken.orders:
        lab.order(order)
    _look(watch, broken, found)
    paused = [order.split()[-1] for order in broken.orders if order.startswith("pause")]
    for order in (*(f"resume {node}" for node in paused), "clear"):
        lab.order(order)
    start = time.monotonic()
    while time.monotonic() < start + SILENCE and found.silence is None:
        if not _named(watch)[0]:
            found.silence = time.monotonic() - start
        time.sleep(PAUSE)
    await_good(lab, 120.0)
    return found


def _look(watch: Watch, broken: Broken, found: Trial) -> None:
    start = time.monotonic()
    while (passed := time.monotonic() - start) < min(broken.seconds, STAYS + (found.right or broken.seconds)):
        named, sentence = _named(watch)
        found.looks += 1
        if named - broken.expected:
            found.wrong += 1
            found.said.add(sentence)
        if named == broken.expected and found.right is None:
            found.right = passed
        time.sleep(PAUSE)


def _named(watch: Watch) -> tuple[Named, str]:
    verdict = asking.run_async(watch.look()).verdict
    return {(finding.part, finding.subject) for finding in verdict.findings}, verdict.sentence


def section(title: str, trials: list[Trial]) -> str:
    """The figures of a set for people."""
    right = [trial.right for trial in trials if trial.right is not None]
    silent = [trial.silence for trial in trials if trial.silence is not None]
    lines = [
        f"## {title}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {os.getloadavg()[1]:.1f}.",
        "",
        f"Named, and nothing else, in {len(right)} of {len(trials)}: median {median(right or [0]):.1f} s, at most "
        f"{max(right, default=0):.1f} s. Somebody else named on the way in {sum(bool(t.wrong) for t in trials)}. "
        f"Silent after the cure in {len(silent)}: median {median(silent or [0]):.1f} s, at most "
        f"{max(silent, default=0):.1f} s.",
        "",
        "| fault | right after s | silent after s | looks that named others | what these said |",
        "|---|---|---|---|---|",
        *(
            f"| `{t.fault}` | {_seconds(t.right)} | {_seconds(t.silence)} | {t.wrong} of {t.looks} "
            f"| {'; '.join(sorted(t.said)[:3])} |"
            for t in trials
        ),
    ]
    return "\n".join(lines) + "\n"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def keep(title: str, text: str) -> None:
    """Put a set's section into the results, in place of the one of that title."""
    head, *sections = re.split(r"^(?=## )", RESULT.read_text(), flags=re.MULTILINE)
    others = [each.strip() + "\n" for each in sections if not each.startswith(f"## {title}\n")]
    RESULT.write_text("\n".join([head.strip() + "\n", *sorted([*others, text])]))


def main() -> None:
    name, *rest = sys.argv[1:]
    nodes, seed = (*map(int, rest), *(5, SEED)[len(rest) :])
    title = f"{name}, {nodes} nodes" + (f", seed {seed}" if seed != SEED else "")
    trials = []
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningLab(Path(folder), nodes, rates="default", dns=name == "dns") as lab,
    ):
        await_good(lab, 120.0, stays=30.0)
        sources = sources_of([str(Path(folder) / "lab")])
        watch = Watch(lambda: sources, AgentAccess())
        for broken in SETS[name](nodes, seed):
            trials.append(trial(lab, watch, broken))
            print(trials[-1], flush=True)
            keep(title, section(title, trials))


if __name__ == "__main__":
    main()

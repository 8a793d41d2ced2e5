"""A mesh simulated packet by packet, for the tests of evidence and diagnosis: it knows links, kernels and processes,
and nothing of parts, likelihoods or windows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from kubesonar.core.telemetry.ledger import window
from kubesonar.model import (
    LARGE,
    Check,
    Edge,
    Fault,
    Kind,
    Member,
    Minute,
    Network,
    Observation,
    Path,
    Side,
    Snapshot,
    State,
    Trial,
    Trouble,
)
from tests.core.snapshots import snapshot_of

START = 1_000_000.0
PORT = 7473
TIMEOUT = {Kind.UDP: 1.0, Kind.TCP: 2.0, Kind.HTTP: 2.0, Kind.ICMP: 1.0, Kind.MTU: 2.0, Kind.DNS: 2.0}
LAB_PERIOD = {Kind.UDP: 0.5, Kind.TCP: 1.0, Kind.HTTP: 1.0, Kind.ICMP: 1.0, Kind.MTU: 2.5, Kind.DNS: 1.0}


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One packet on its way; `port` is the destination's, `size` its bytes."""

    at: float
    source: str
    target: str
    network: Network
    proto: str
    port: int = 0
    size: int = 100


@dataclass(frozen=True)
class Rule:
    """Drops matching packets with a probability while it is in force."""

    matches: Callable[[Packet], bool]
    share: float = 1.0
    since: float = START
    until: float = float("inf")


@dataclass
class Plain:
    """A plain target: a server that is no member."""

    name: str
    kind: Kind
    path: Path
    port: int
    request: str = ""


PLAIN = (
    Plain("api", Kind.HTTP, Path.API_DIRECT, 6443),
    Plain("ingress", Kind.HTTP, Path.INGRESS, 80),
    *(Plain(f"dns-{n}", Kind.DNS, Path.DNS_POD, 53, f"x.test A {proto}") for n in (1, 2) for proto in ("udp", "tcp")),
)


LARGE_ANSWERS = tuple(Plain(f"dns-{n}", Kind.DNS, Path.DNS_POD, 53, f"big.test A {LARGE}") for n in (1, 2))
"""Questions for large answers to the DNS servers of `PLAIN`."""

OWN_SERVICE = Plain("service", Kind.HTTP, Path.SERVICE, 7473)
"""The agents' own Service, of which any pod agent takes a request."""


class Record(msgspec.Struct, gc=False):
    """What a member remembers of one check: what came of it last, and its trials, each with when it is known."""

    check: Check
    at: float = 0.0
    fault: Fault | None = None
    mtu: int = 0
    trials: list[tuple[float, Trial]] = []


@dataclass
class Mesh:
    """`nodes` nodes in two zones, a pod and a host agent on each. Times are offsets from `START`, as all arguments."""

    nodes: int = 5
    seed: int = 1
    background: float = 0.0
    period: dict[Kind, float] = field(default_factory=lambda: dict(LAB_PERIOD))
    neighbours: int = 0
    rules: list[Rule] = field(default_factory=list)
    slow: dict[str, float] = field(default_factory=dict)
    gone: dict[str, tuple[float, float]] = field(default_factory=dict)
    frozen: dict[str, tuple[float, float]] = field(default_factory=dict)
    refusing: dict[str, tuple[float, float]] = field(default_factory=dict)
    failing: dict[str, tuple[float, float]] = field(default_factory=dict)
    states: dict[str, tuple[State, str]] = field(default_factory=dict)
    clocks: dict[str, float] = field(default_factory=dict)
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)
    plain: tuple[Plain, ...] = PLAIN
    unjoined: bool = False
    older: bool = False
    """Agents of a version that does not hand on how many SYNs a connection took."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.members = [self._member(n, network) for n in range(1, self.nodes + 1) for network in ("pod", "host")]
        self.records: dict[str, dict[tuple[Side, str], Record]] = {}

    def _member(self, number: int, network: str) -> Member:
        name = f"node-{number}-{network}"
        zone = "a" if 2 * number <= self.nodes + 1 else "b"
        state, reason = self.states.get(name, (State.SERVING, ""))
        return Member(name, f"node-{number}", (f"10.0.0.{number}",), PORT, Network(network), zone, 1, state, reason)

    # Faults

    def drop(
        self, source: str, target: str, share: float = 1.0, since: float = 0, until: float = 1e9, **more: object
    ) -> Mesh:
        """Drops what goes from one place to another ("*": any)."""

        def matches(packet: Packet) -> bool:
            return (
                source in ("*", packet.source)
                and target in ("*", packet.target)
                and all(getattr(packet, key) == value for key, value in more.items())
            )

        self.rules.append(Rule(matches, share, START + since, START + until))
        return self

    def cut(self, node: str, since: float = 0, until: float = 1e9, **more: object) -> Mesh:
        """Lets nothing in or out of a node."""
        return self.drop(node, "*", 1.0, since, until, **more).drop("*", node, 1.0, since, until, **more)

    def mtu(self, source: str, target: str, size: int, **more: object) -> Mesh:
        """Big packets vanish silently ("*": from or to any)."""

        def matches(packet: Packet) -> bool:
            return (
                source in ("*", packet.source)
                and target in ("*", packet.target)
                and packet.size > size
                and all(getattr(packet, key) == value for key, value in more.items())
            )

        self.rules.append(Rule(matches))
        return self

    def stop(self, node: str, how: dict[str, tuple[float, float]], since: float, until: float = 1e9) -> Mesh:
        """Has the agents of a node gone (`self.gone`) or frozen (`self.frozen`) for a while."""
        for member in self.members:
            if member.node == node:
                how[member.name] = (START + since, START + until)
        return self

    # Packets

    def passes(self, packet: Packet) -> bool:
        """Whether one packet arrives."""
        if self.background and self.random.random() < self.background:
            return False
        if not self.rules:
            return True
        for rule in self.rules:
            hit = rule.since <= packet.at < rule.until and rule.matches(packet)
            if hit and (rule.share >= 1 or self.random.random() < rule.share):
                return False
        return True

    def _down(self, name: str, how: dict[str, tuple[float, float]], at: float) -> bool:
        since, until = how.get(name, (0.0, 0.0))
        return since <= at < until

    # Probes

    def run(self, duration: float) -> Mesh:
        """Probes for so long from START on."""
        for index, member in enumerate(self.members):
            others = [m for m in self.members if m.network is member.network and m.node != member.node]
            if self.neighbours:
                start = index // 2
                others = [others[(start + step) % len(others)] for step in range(min(self.neighbours, len(others)))]
            for other in others:
                for kind in (Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU):
                    self._series(member, kind, other, None, duration)
            for plain in self.plain:
                self._series(member, plain.kind, None, plain, duration)
        return self

    def _series(self, member: Member, kind: Kind, other: Member | None, plain: Plain | None, duration: float) -> None:
        period = self.period[kind]
        check = _check_of_member(member, kind, other) if other is not None else _check_of_plain(plain or PLAIN[0])
        at = START + self.random.random() * period
        number = 0
        while at < START + duration:
            number += 1
            if not self._down(member.name, self.gone, at) and not self._down(member.name, self.frozen, at):
                if other is not None:
                    self._probe(member, other, check, at, number)
                elif plain is not None:
                    self._ask(member, plain, check, at)
            at += period

    def _probe(self, a: Member, b: Member, check: Check, at: float, number: int) -> None:
        kind = check.kind
        there = Packet(at, a.node, b.node, a.network, "udp", PORT)
        back = Packet(at, b.node, a.node, a.network, "udp")
        dead = self._down(b.name, self.gone, at)
        if kind is Kind.UDP:
            self._train(a, b, check, there, back, number, dead)
        elif kind is Kind.ICMP:
            passed = self.passes(_as(there, "icmp", 0)) and self.passes(_as(back, "icmp", 0))
            self._note(a, check, at, None if passed else Fault.TIMEOUT)
        elif kind is Kind.MTU:
            self._size(a, b, check, there, back, dead)
        else:
            self._stream(a, check, _as(there, "tcp", PORT), _as(back, "tcp", 0), dead, b.name)

    def _train(self, a: Member, b: Member, check: Check, there: Packet, back: Packet, number: int, dead: bool) -> None:
        at = there.at
        arrived = [i for i in range(8) if self.passes(there)]
        if dead:
            refused = bool(arrived) and self.random.random() < 0.5 and self.passes(back)
            fault = Fault.REFUSED if refused else Fault.TIMEOUT
            self._note(a, check, at, fault, Trial(at, number, 8, 0, 0, 0, 0, None))
            return
        answered = [] if self._down(b.name, self.frozen, at) else arrived
        got = [count for count, _ in enumerate(answered, 1) if self.passes(back)]
        silent = None if got else Fault.TIMEOUT
        self._note(a, check, at, silent, Trial(at, number, 8, len(got), max(got, default=0), 0.001, 0, None))
        if answered and not self.unjoined:
            theirs = Check(f"udp/from/{a.name}/v4", Kind.UDP, check.path, a.name, a.addresses[0], timeout=1.0)
            count = len(arrived)
            self._note(b, theirs, at, None, Trial(at, number, count, count, 0, 0, 0, None), Side.RESPONDER, 1.2)

    def _size(self, a: Member, b: Member, check: Check, there: Packet, back: Packet, dead: bool) -> None:
        def small() -> bool:
            alive = not dead and not self._down(b.name, self.frozen, there.at)
            return alive and self.passes(there) and self.passes(back)

        if not any(small() for _ in range(3)):
            self._note(a, check, there.at, Fault.REFUSED if dead else Fault.TIMEOUT)
        elif any(self.passes(_as(there, "udp", PORT, 1500)) and self.passes(back) for _ in range(3)):
            rate = min(self.slow.get(a.node, 0) or 1e12, self.slow.get(b.node, 0) or 1e12)
            rate = 0.0 if rate == 1e12 else rate * self.random.uniform(0.9, 1.1)
            self._note(a, check, there.at, None, Trial(there.at, 0, 1, 1, 0, 0, rate, None), mtu=1500)
        else:
            self._note(a, check, there.at, Fault.BLACK_HOLE, mtu=1300)

    def _stream(self, a: Member, check: Check, there: Packet, back: Packet, dead: bool, name: str) -> None:
        """A handshake (SYN at 0 and 1 s), then for http a request and an answer, each sent up to three times."""
        at, tries = there.at, ((_later(there, wait), _later(back, wait)) for wait in (0.0, 1.0))
        syns = next((number for number, ways in enumerate(tries, 1) if all(map(self.passes, ways))), 0)
        told = check.kind is Kind.TCP and not self.older
        trial = Trial(at, 0, 1, int(bool(syns) and not dead), syns or 2, 0.001, 0.0, None) if told else None
        if not syns or dead:
            self._note(a, check, at, Fault.REFUSED if syns else Fault.TIMEOUT, trial)
        elif check.kind is Kind.TCP:
            self._note(a, check, at, None, trial)
        else:
            answers = not self._down(name, self.frozen, at)
            for packet in (there, back):
                answers = answers and any(self.passes(_later(packet, wait)) for wait in (0.0, 0.2, 0.6))
            self._note(a, check, at, None if answers else Fault.TIMEOUT)

    def _ask(self, a: Member, plain: Plain, check: Check, at: float) -> None:
        tcp = _by_tcp(plain)
        server, place = plain.name, plain.name
        dead = self._down(plain.name, self.refusing, at)
        if plain.path is Path.SERVICE:
            taken = self.random.choice([member for member in self.members if member.network is Network.POD])
            server, place = taken.name, taken.node
            dead = dead or self._down(server, self.gone, at)
        there = Packet(at, a.node, place, a.network, "tcp" if tcp else "udp", plain.port)
        back = Packet(at, place, a.node, a.network, there.proto, size=1500 if check.is_large else 100)
        if self._down(plain.name, self.failing, at):
            self._note(a, check, at, Fault.WRONG_ANSWER)
        elif tcp:
            self._stream(a, check, there, back, dead, server)
        else:
            passed = self.passes(there) and self.passes(back)
            self._note(a, check, at, (Fault.REFUSED if dead else None) if passed else Fault.TIMEOUT)

    # What members remember

    def _note(
        self,
        member: Member,
        check: Check,
        at: float,
        fault: Fault | None,
        trial: Trial | None = None,
        side: Side = Side.SOURCE,
        delay: float = 0.01,
        mtu: int = 0,
    ) -> None:
        clock = self.clocks.get(member.name, 0.0)
        if trial is None:
            trial = Trial(at + clock, 0, 1, int(fault is None), 0, 0.001, 0.0, fault)
        elif clock or fault is not None:
            trial = msgspec.structs.replace(trial, at=trial.at + clock, fault=fault)
        known = at + (check.timeout if fault in (Fault.TIMEOUT, Fault.BLACK_HOLE) else delay)
        records = self.records.setdefault(member.name, {})
        record = records.get((side, check.id))
        if record is None:
            record = records[side, check.id] = Record(check)
        record.at, record.fault, record.mtu = at, fault, mtu
        record.trials.append((known, trial))

    def snapshots(self, after: float, long: float = 60.0) -> tuple[list[Snapshot], dict[str, str], float]:
        """What could be read `after` so many seconds: snapshots, who could not be read and why, and the time."""
        now = START + after
        unread: dict[str, str] = {}
        read: list[Snapshot] = []
        for member in self.members:
            if self._down(member.name, self.gone, now):
                unread[member.name] = "connection refused"
            elif self._down(member.name, self.frozen, now):
                unread[member.name] = "no answer within 2 s"
            else:
                read.append(self._snapshot(member, now, long))
        return read, unread, now

    def _snapshot(self, member: Member, now: float, long: float) -> Snapshot:
        clock = self.clocks.get(member.name, 0.0)
        edges = []
        oldest = now + clock - long
        for (side, _), record in self.records.get(member.name, {}).items():
            trials = tuple([trial for seen, trial in record.trials if seen <= now and trial.at >= oldest])
            if trials:
                past = self._past(side, [trial for _, trial in record.trials if trial.at < oldest])
                latest = Observation(
                    record.check, member.name, member.network, record.at, side=side, fault=record.fault, mtu=record.mtu
                )
                at = now + clock
                windows = window([*trials], at, 10.0), window([*trials], at, long)
                edges.append(Edge(latest, *windows, trials, past=past))
        started = self.gone.get(member.name, (0.0, START - 100))[1]
        return snapshot_of(
            member,
            *edges,
            at=now + clock,
            started=(started if started <= now else START - 100) + clock,
            members=self.members,
            revision="r1",
            troubles=tuple(self._troubles(member, now)),
        )

    def _past(self, side: Side, trials: list[Trial]) -> tuple[Minute, ...]:
        minutes: dict[float, list[Trial]] = {}
        for trial in trials:
            minutes.setdefault(trial.at // 60 * 60, []).append(trial)
        return tuple(
            Minute(at, len(found), tuple(each for each in found if _bad(each, side)))
            for at, found in sorted(minutes.items())
        )

    def _troubles(self, member: Member, now: float) -> Iterable[Trouble]:
        yield from self.troubles.get(member.name, ())
        if member.name in self.frozen and self.frozen[member.name][1] <= now:
            since, until = self.frozen[member.name]
            yield Trouble(since, until, f"frozen for {until - since:.0f} s")


def _bad(trial: Trial, side: Side) -> bool:
    return trial.fault is not None or trial.received < (8 if side is Side.RESPONDER else trial.sent)


def _as(packet: Packet, proto: str, port: int, size: int = 100) -> Packet:
    return Packet(packet.at, packet.source, packet.target, packet.network, proto, port, size)


def _later(packet: Packet, wait: float) -> Packet:
    at = packet.at + wait
    return Packet(at, packet.source, packet.target, packet.network, packet.proto, packet.port, packet.size)


def _check_of_member(a: Member, kind: Kind, b: Member) -> Check:
    path = Path(a.network.value)
    return Check(f"{kind}/{path}/{b.name}/v4", kind, path, b.name, b.addresses[0], PORT, timeout=TIMEOUT[kind])


def _check_of_plain(plain: Plain) -> Check:
    suffix = f"/{plain.request.split()[-1]}" if plain.kind is Kind.DNS else ""
    name = f"{plain.kind}/{plain.path}/{plain.name}{suffix}"
    return Check(name, plain.kind, plain.path, plain.name, "10.9.9.9", plain.port, request=plain.request)


def _by_tcp(plain: Plain) -> bool:
    return plain.kind is not Kind.DNS or plain.request.endswith("tcp")

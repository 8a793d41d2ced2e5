"""What probes come to in the virtual network: from a check to its observation, packet by packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

import msgspec

from bench.diagnosis.agent import VirtualAgent
from bench.diagnosis.cluster import SEARCH, Cluster, Place
from bench.diagnosis.network import Flow, VirtualNetwork, Way
from bench.diagnosis.servers import NO_ERROR, Server, Servers
from bench.diagnosis.tcp import connect, deliver
from kubesonar.model import (
    Check,
    Fault,
    Kernel,
    Kind,
    Network,
    Observation,
    Path,
    Phase,
    Rtt,
    Side,
    Span,
    StampSource,
    Train,
)

Record = Callable[[float, VirtualAgent, Observation], None]
"""Told of an observation that a member will make at that time."""

TRAIN = 7
"""Datagrams of a train besides the one of full size."""
_TRAIN_GAP = 1.0
"""Seconds after its last datagram at which a responder closes a train that is not complete."""
_HELD = 0.5
_BACKLOG = 128
"""Connections that the kernel completes for a process that accepts none."""
SMALL, FULL = 120, 1500
_COMPARED = 8
"""Datagrams of either size that an MTU check compares."""
_TLS_FULL = 60.0
"""Seconds between two full TLS handshakes with the API server, whose certificate fills packets."""
_DNS_SERVICE = frozenset({Path.DNS_SERVICE, Path.DNS_UPSTREAM})


class Outcome(NamedTuple):
    """An observation, and when it is complete."""

    done: float
    observation: Observation


class _Target(NamedTuple):
    """Where a stream goes and what it meets there: `accepts` is whether a process listens, `answers` from when on it
    reads (virtual time)."""

    place: Place
    port: int
    accepts: bool
    server: Server | None = None
    service: bool = False
    agent: VirtualAgent | None = None


class Prober:
    """Makes observations of checks. What responders record goes to `record`."""

    def __init__(
        self,
        cluster: Cluster,
        network: VirtualNetwork,
        servers: Servers,
        agents: Mapping[str, VirtualAgent],
        record: Record,
        rng: Random,
    ) -> None:
        self._cluster = cluster
        self._network = network
        self._servers = servers
        self._agents = agents
        self._record = record
        self._rng = rng
        self._full: dict[tuple[str, str], float] = {}
        self._from: dict[tuple[str, str, int], Check] = {}
        self.rates: dict[str, float] = {}
        """What nodes' links pass, in bits/s, where packets of full size show it."""
        self.heirs: dict[str, str] = {}
        """Members that have another's address now, by that other's name."""
        self.strangers: set[str] = set()
        """Members that share no key with the others."""
        self.mtu_hole = 1400
        """The biggest IP packet that a hole lets through."""

    def probe(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        """Launches the check at `now`."""
        match check.kind:
            case Kind.UDP:
                return (
                    self._loopback(agent, check, now) if check.path is Path.LOOPBACK else self._udp(agent, check, now)
                )
            case Kind.ICMP:
                return self._icmp(agent, check, now)
            case Kind.MTU:
                return self._mtu(agent, check, now)
            case Kind.TCP:
                return self._tcp(agent, check, now)
            case Kind.DNS:
                return self._dns(agent, check, now)
            case _:
                return self._http(agent, check, now)

    def _agent(self, name: str) -> VirtualAgent:
        """Who answers at that member's address: in the host network its successor, once there is one."""
        return self._agents[self.heirs.get(name, name)]

    def _jitter(self) -> float:
        return 1.0 + self._rng.expovariate(5.0)

    def _ways(self, source: Place, target: Place, flow: Flow) -> tuple[Way, Way]:
        reply = flow._replace(service=False, reply=True)
        return self._network.way(source, target, flow), self._network.way(target, source, reply)

    def _made(self, agent: VirtualAgent, check: Check, now: float, **fields: object) -> Observation:
        values = {"family": 6 if ":" in check.address else 4, "address": check.address} | fields
        return Observation(
            check=check,
            source=agent.name,
            network=agent.place.network or Network.OTHER,
            at=agent.wall(now),
            **values,  # type: ignore[arg-type]
        )

    def _loopback(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        sent = TRAIN + 1
        train = Train(number=agent.number(check.target), seen=sent, size=64)
        return Outcome(now, self._made(agent, check, now, sent=sent, received=sent, rtt=_rtt(5e-5), train=train))

    def _udp(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        target = self._agent(check.target)
        family = 6 if ":" in check.address else 4
        flow = Flow("udp", check.port, SMALL, family)
        there, back = self._ways(agent.place, target.place, flow)
        number = agent.number(check.target)
        arrived = there.arrivals(now, TRAIN)
        fills = not (agent.older or target.older)
        full = fills and self._network.way(agent.place, target.place, flow._replace(size=FULL)).passes(now)
        deadline = now + check.timeout
        at = now + there.latency
        reached = full or bool(arrived)
        if reached and not target.alive:
            return self._refused(agent, check, now, back, number, target.absent)
        if reached and (agent.name in self.strangers) != (target.name in self.strangers):
            mismatch = self._made(agent, check, now, fault=Fault.MISMATCH, sent=TRAIN, train=Train(number=number))
            return Outcome(now + check.timeout, mismatch)
        hold = max(0.0, target.thaw - at)
        answered = arrived if hold <= check.timeout else []
        if reached:
            whole = len(arrived) == TRAIN and full == fills
            self._recorded(agent, target, family, number, len(arrived), full, at, hold, whole)
        back_at = at + hold
        full = full and hold <= check.timeout and back.passes(back_at)
        got = [arrived[index] for index in back.arrivals(back_at, len(arrived))] if answered else []
        rtt = (there.latency + back.latency) * self._jitter()
        if now + rtt + hold > deadline:
            got, full = [], False
        seen = arrived.index(got[-1]) + 1 if got else 0
        complete = len(got) == TRAIN and full == fills
        observation = self._made(
            agent,
            check,
            now,
            fault=None if got else Fault.TIMEOUT,
            sent=TRAIN,
            received=len(got),
            rtt=_rtt(rtt) if got else None,
            train=Train(
                number=number, seen=seen, size=64, full=FULL * fills, full_sent=int(fills), full_received=int(full)
            ),
            detail="" if got else f"none of {TRAIN} answered",
        )
        return Outcome(now + rtt + hold if complete else deadline, observation)

    def _refused(self, agent: VirtualAgent, check: Check, now: float, back: Way, number: int, absent: bool) -> Outcome:
        """The kernel of the target's node sends ICMP errors, a few at a time; nobody does where the pod is gone too."""
        told = not absent and any(back.passes(now) for _ in range(min(TRAIN, 6)))
        fault = Fault.REFUSED if told else Fault.TIMEOUT
        train = Train(number=number, size=64)
        observation = self._made(agent, check, now, fault=fault, sent=TRAIN, received=0, train=train)
        return Outcome(now + check.timeout, observation)

    def _recorded(
        self,
        agent: VirtualAgent,
        target: VirtualAgent,
        family: int,
        number: int,
        received: int,
        full: bool,
        at: float,
        hold: float,
        whole: bool,
    ) -> None:
        address = agent.address(family)
        key = (target.name, agent.name, family)
        check = self._from.get(key)
        if check is None:
            path = Path.HOST if target.place.network is Network.HOST else Path.POD
            check = self._from[key] = Check(
                id=f"udp/from/{agent.name}", kind=Kind.UDP, path=path, target=agent.name, address=address
            )
        observation = Observation(
            check=check,
            source=target.name,
            network=target.place.network or Network.OTHER,
            at=target.wall(at),
            side=Side.RESPONDER,
            address=address,
            family=family,
            sent=received if hold <= _HELD else 0,
            received=received,
            train=Train(
                number=number,
                seen=TRAIN,
                size=64,
                full=FULL * full,
                full_sent=int(full and hold <= _HELD),
                full_received=int(full),
            ),
            detail=f"{received} of {TRAIN} arrived",
        )
        closed = at + hold if whole else at + hold + _TRAIN_GAP + self._rng.uniform(0.0, 0.25)
        self._record(closed, target, observation)

    def _icmp(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        target = self._agent(check.target)
        there, back = self._ways(agent.place, target.place, Flow("icmp", 0, SMALL, 6 if ":" in check.address else 4))
        rtt = (there.latency + back.latency) * self._jitter()
        if not target.absent and rtt <= check.timeout and there.passes(now) and back.passes(now):
            return Outcome(now + rtt, self._made(agent, check, now, received=1, rtt=_rtt(rtt)))
        return self._timeout(agent, check, now)

    def _timeout(self, agent: VirtualAgent, check: Check, now: float, **fields: object) -> Outcome:
        return Outcome(now + check.timeout, self._made(agent, check, now, fault=Fault.TIMEOUT, **fields))

    def _mtu(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        target = self._agent(check.target)
        family = 6 if ":" in check.address else 4
        patience = check.timeout / 6
        if not target.alive:
            fault = Fault.TIMEOUT if target.absent else Fault.REFUSED
            return Outcome(now + 2 * patience, self._made(agent, check, now, fault=fault))
        at, small = now, 0
        ends = (agent.place.node, target.place.node)
        for count in (1, _COMPARED):
            small = self._echoes(agent, target, Flow("udp", check.port, SMALL, family), at, count, patience)
            full = self._echoes(agent, target, Flow("udp", check.port, FULL, family), at, count, patience)
            if full:
                slow = [rate for node in ends if (rate := self.rates.get(node)) is not None]
                train = Train(number=0, size=FULL - 28, rate=min(slow) if slow else None)
                fields = {"received": 1, "mtu": FULL, "train": train}
                return Outcome(at + 0.05, self._made(agent, check, now, rtt=_rtt(5e-4), **fields))
            at += patience
        if not small:
            return self._timeout(agent, check, now)
        if small * 2 < _COMPARED:
            return Outcome(at, self._made(agent, check, now, detail="too many small datagrams are lost to tell"))
        fault, mtu = Fault.BLACK_HOLE, self.mtu_hole
        detail = f"{FULL} bytes vanish without a word; {mtu} pass"
        return Outcome(at + 0.6, self._made(agent, check, now, fault=fault, mtu=mtu, detail=detail))

    def _echoes(
        self, agent: VirtualAgent, target: VirtualAgent, flow: Flow, now: float, count: int, patience: float
    ) -> int:
        if target.thaw - now > patience:
            return 0
        there, back = self._ways(agent.place, target.place, flow)
        back = self._network.way(target.place, agent.place, flow._replace(size=SMALL, reply=True))
        return len(back.arrivals(now, len(there.arrivals(now, count))))

    def _tcp(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        target = self._agent(check.target)
        family = 6 if ":" in check.address else 4
        met = _Target(target.place, check.port, target.alive, agent=target)
        there, back = self._ways(agent.place, target.place, Flow("tcp", check.port, SMALL, family))
        after, retransmits, refused = self._connect(met, there, back, now, check.timeout)
        if after is None:
            kernel = Kernel(retransmits=retransmits)
            return self._timeout(agent, check, now, kernel=kernel)
        if refused:
            return Outcome(now + after, self._made(agent, check, now, fault=Fault.REFUSED))
        rtt = (there.latency + back.latency) * self._jitter() if not retransmits else 0.0
        fields = {"received": 1, "rtt": _rtt(rtt) if rtt else None, "kernel": Kernel(rtt=rtt, retransmits=retransmits)}
        phases = (Span(Phase.CONNECT, 0.0, after),)
        return Outcome(now + after, self._made(agent, check, now, phases=phases, **fields))

    def _connect(
        self, met: _Target, there: Way, back: Way, now: float, timeout: float
    ) -> tuple[float | None, int, bool]:
        """When the handshake was over, how many SYNs were sent again, and whether it was refused."""
        server = met.server
        if server is not None and server.deaf_tcp and self._rng.random() < server.deaf_tcp:
            return None, int(timeout), False
        if met.agent is not None and met.agent.thaw > now:
            met.agent.accepted += 1
            if met.agent.accepted > _BACKLOG:
                return None, int(timeout), False
        if met.agent is not None and met.agent.absent:
            return None, int(timeout), False
        done = connect(there, back, now, timeout)
        return done.after, done.retransmits, not met.accepts

    def _dns(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        tcp = check.request.endswith(" tcp")
        service = check.path in _DNS_SERVICE
        server = self._servers[check.target] if not service else self._dns_endpoint()
        if server is None:
            return Outcome(now + 0.001, self._made(agent, check, now, fault=Fault.REFUSED))
        place = self._cluster.places[server.name]
        there, back = self._ways(agent.place, place, Flow("tcp" if tcp else "udp", 53, SMALL, 4, service))
        if tcp:
            return self._dns_stream(agent, check, now, server, there, back)
        if server.gone:
            told = there.passes(now) and back.passes(now)
            fault = Fault.REFUSED if told else Fault.TIMEOUT
            return Outcome(now + (0.001 if told else check.timeout), self._made(agent, check, now, fault=fault))
        took = (there.latency + back.latency) * self._jitter() + 0.0002 + server.delay
        heard = not (server.deaf_udp and self._rng.random() < server.deaf_udp)
        if not heard or took > check.timeout or not (there.passes(now) and back.passes(now)):
            return self._timeout(agent, check, now)
        phases = (Span(Phase.FIRST_BYTE, 0.0, took),)
        return Outcome(now + took, self._answer(agent, check, now, server, took, phases))

    def _dns_stream(
        self, agent: VirtualAgent, check: Check, now: float, server: Server, there: Way, back: Way
    ) -> Outcome:
        met = _Target(self._cluster.places[server.name], 53, not server.gone, server)
        after, _, refused = self._connect(met, there, back, now, check.timeout)
        if after is None:
            return self._timeout(agent, check, now)
        if refused:
            return Outcome(now + after, self._made(agent, check, now, fault=Fault.REFUSED))
        done = self._exchange(there, back, now + after, now + check.timeout, server.delay + 0.0002)
        if done is None:
            return self._timeout(agent, check, now, phases=(Span(Phase.CONNECT, 0.0, after),))
        phases = (Span(Phase.CONNECT, 0.0, after), Span(Phase.FIRST_BYTE, after, done - now))
        return Outcome(done, self._answer(agent, check, now, server, done - now - after, phases))

    def _answer(
        self, agent: VirtualAgent, check: Check, now: float, server: Server, took: float, phases: tuple[Span, ...]
    ) -> Observation:
        fields: dict[str, object] = {"received": 1, "rtt": _rtt(took), "phases": phases}
        outside = check.path is Path.DNS_UPSTREAM and not self._servers.upstream
        if outside or (server.failing and self._rng.random() < server.failing):
            code = 2 if outside else server.code
            return self._made(agent, check, now, fault=Fault.WRONG_ANSWER, code=code, **fields)
        if server.empty:
            return self._made(agent, check, now, fault=Fault.WRONG_ANSWER, code=int(NO_ERROR), **fields)
        return self._made(agent, check, now, code=0, **fields)

    def _dns_endpoint(self) -> Server | None:
        endpoints = self._servers.endpoints
        return self._servers[self._rng.choice(endpoints)] if endpoints else None

    def _exchange(self, there: Way, back: Way, start: float, deadline: float, think: float = 0.0) -> float | None:
        """When the answer to one segment is there."""
        asked = deliver(there, start, deadline)
        return None if asked is None else deliver(back, asked + think, deadline)

    def _resolve(self, agent: VirtualAgent, host: str, now: float, timeout: float) -> float | None:
        """How long a look-up took, None where it failed; the system's resolver waits longer than any check."""
        inside = host.endswith(".cluster.local.")
        names = 1 if host.endswith(".") else SEARCH
        took = 0.0
        for last in [False] * (names - 1) + [True]:
            server = self._dns_endpoint()
            if server is None or server.gone or (server.failing and self._rng.random() < server.failing):
                return None
            if server.empty or (last and not inside and not self._servers.upstream):
                return None
            place = self._cluster.places[server.name]
            there, back = self._ways(agent.place, place, Flow("udp", 53, SMALL, 4, service=True))
            for _ in range(2):
                deaf = server.deaf_udp and self._rng.random() < server.deaf_udp
                if deaf or not (there.passes(now + took) and back.passes(now + took)):
                    return None
            took += (there.latency + back.latency) * self._jitter() + server.delay
            took += 0.005 if last and not inside else 0.0
        return took if took < timeout else None

    def _http(self, agent: VirtualAgent, check: Check, now: float) -> Outcome:
        host = check.address or check.request.partition("://")[2].partition("/")[0].partition(":")[0].strip("[]")
        phases: tuple[Span, ...] = ()
        took = 0.0
        named = not (host.replace(".", "").isdigit() or ":" in check.address or check.address.startswith("fd"))
        if named:
            found = self._resolve(agent, host, now, check.timeout)
            if found is None:
                failed = self._made(agent, check, now, fault=Fault.UNRESOLVED, address="")
                return Outcome(now + check.timeout, failed)
            took, phases = found, (Span(Phase.DNS, 0.0, found),)
        met = self._met(check, now)
        secure = check.request.startswith("https")
        family = 6 if ":" in check.address else 4
        flow = Flow("tcp", met.port, SMALL, family, met.service)
        there, back = self._ways(agent.place, met.place, flow)
        after, retransmits, refused = self._connect(met, there, back, now + took, check.timeout - took)
        fields: dict[str, object] = {"kernel": Kernel(retransmits=retransmits)}
        if after is None:
            return self._timeout(agent, check, now, phases=phases, **fields)
        connected = took + after
        if refused:
            return Outcome(now + connected, self._made(agent, check, now, fault=Fault.REFUSED, phases=phases))
        phases += (Span(Phase.CONNECT, took, connected),)
        deadline = now + check.timeout
        at: float | None = now + connected
        if secure:
            at = self._handshake(agent, check, met, flow, now + connected, deadline)
            if at is not None:
                phases += (Span(Phase.TLS, connected, at - now),)
        think = met.server.delay if met.server is not None else 0.0
        if met.agent is not None:
            think = max(0.0, met.agent.thaw - now)
        done = None if at is None else self._exchange(there, back, at, deadline, think + 0.0003)
        if done is None or at is None:
            return self._timeout(agent, check, now, phases=phases, **fields)
        phases += (Span(Phase.FIRST_BYTE, at - now, done - now),)
        rtt = (there.latency + back.latency) * self._jitter()
        fields = {
            "received": 1,
            "phases": phases,
            "rtt": _rtt(rtt) if not retransmits else None,
            "kernel": Kernel(rtt=0.0 if retransmits else rtt, retransmits=retransmits),
        }
        server = met.server
        if server is not None and server.failing and self._rng.random() < server.failing:
            wrong = self._made(agent, check, now, fault=Fault.WRONG_ANSWER, code=500, **fields)
            return Outcome(done, wrong)
        return Outcome(done, self._made(agent, check, now, code=200, **fields))

    def _met(self, check: Check, now: float) -> _Target:
        port = check.port or (443 if check.request.startswith("https") else 80)
        if check.path in (Path.POD, Path.HOST):
            target = self._agent(check.target)
            return _Target(target.place, check.port, target.alive, agent=target)
        if check.path is Path.SERVICE:
            target = self._agents[self._rng.choice(self._servers.agents)]
            return _Target(target.place, port, target.alive, service=True, agent=target)
        server = self._servers[check.target]
        service = check.path in (Path.API_DIRECT, Path.API_DNS)
        return _Target(self._cluster.places[check.target], port, not server.gone, server, service)

    def _handshake(
        self, agent: VirtualAgent, check: Check, met: _Target, flow: Flow, start: float, deadline: float
    ) -> float | None:
        """TLS: of the API server mostly resumed, else with a certificate that fills a packet."""
        there, back = self._ways(agent.place, met.place, flow)
        key = (agent.name, check.id)
        full = start - self._full.get(key, -_TLS_FULL) >= _TLS_FULL
        asked = deliver(there, start, deadline)
        if asked is None:
            return None
        flight = (
            self._network.way(met.place, agent.place, flow._replace(size=FULL, service=False, reply=True))
            if full
            else back
        )
        done = deliver(flight, asked + 0.001, deadline)
        if done is not None and full and check.path in (Path.API_DIRECT, Path.API_DNS):
            self._full[key] = start
        return done


def _rtt(seconds: float) -> Rtt:
    return Rtt(best=seconds, mean=seconds, worst=seconds, clock=StampSource.KERNEL)


def local(outcome: Outcome) -> Observation:
    """The same of a process that was not running at the deadline: its silence proves nothing."""
    observation = outcome.observation
    lossy = observation.check.kind is Kind.UDP and observation.received < observation.sent
    if observation.fault is Fault.TIMEOUT or (observation.fault is None and lossy):
        return msgspec.structs.replace(observation, fault=Fault.LOCAL, detail="event loop was late")
    return observation

"""A virtual cluster: nodes, a network and one clock. Everything that happens follows from the commands given and from
the `random.Random` handed in, so a seed replays a run to the last message."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kubesonar.core.membership.events import (
    Action,
    Announce,
    Event,
    Leaving,
    Look,
    Looked,
    Received,
    Refused,
    Send,
    Told,
)
from kubesonar.core.membership.instance import Membership, MembershipOptions
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Reachability, encode_message
from kubesonar.core.wire.codec import MESSAGE_OVERHEAD
from kubesonar.model import Member, Network, Roster
from kubesonar.sim.network import SimNetwork
from kubesonar.sim.node import INBOX, SimNode, SimProcess

if TYPE_CHECKING:
    from random import Random

INFINITE_TIME = float("inf")
START = 0.3
"""How long a process takes to start (s)."""

ActionHandler = Callable[[float, SimNode, Action], None]


class SimWorld:
    """`watch` are told (time, node, action) of every action but messages and looks. What is announced counts as told to
    the world at once. With `weigh`, the bytes of all datagrams are counted, which takes its time."""

    def __init__(
        self,
        rng: Random,
        options: MembershipOptions | None = None,
        act: ActionHandler | None = None,
        *,
        weigh: bool = False,
    ) -> None:
        self.now = 0.0
        self.rng = rng
        self.options = options or MembershipOptions()
        self.network = SimNetwork(rng)
        self.nodes: dict[str, SimNode] = {}
        self.messages = 0
        self.bytes = 0
        self.electorate = MemberView(Roster("0", ()), Network.POD)
        self.watch: list[ActionHandler] = [act] if act is not None else []
        self._weigh = weigh
        self._agenda: list[tuple[float, int, Callable[[Any, Any], None], Any, Any]] = []
        self._order = 0
        self._revision = 0

    def __len__(self) -> int:
        """How many things are on the world's agenda."""
        return len(self._agenda)

    # The roster

    def populate(self, members: Iterable[Member]) -> None:
        """These are the members from now on; new ones run as soon as they are started (`start`)."""
        self._revision += 1
        roster = Roster(str(self._revision), tuple(members))
        self.electorate = MemberView(roster, Network.POD, self.options.election.order)
        for member in roster.members:
            node = self.nodes.get(member.name)
            if node is None:
                self.nodes[member.name] = SimNode(member, self.rng.uniform(0, 1000))
            else:
                node.member = member
        for node in self.nodes.values():
            if node.machine is not None:
                self._take(node, self.electorate)

    def remove(self, names: Iterable[str]) -> None:
        """These are members no more."""
        gone = set(names)
        rest = [member for member in self.members if member.name not in gone]
        for name in gone:
            del self.nodes[name]
        self.populate(rest)

    @property
    def members(self) -> list[Member]:
        """All members on the roster."""
        return [node.member for node in self.nodes.values()]

    # Processes, hosts and clocks

    def start(self, name: str) -> None:
        """Starts a process that is dead; it is a new one, with a new epoch."""
        node = self.nodes[name]
        if node.process is SimProcess.DEAD:
            self.after(START, self._begin, node, None)

    def kill(self, name: str) -> None:
        """kill -9."""
        node = self.nodes[name]
        node.process, node.machine, node.wake = SimProcess.DEAD, None, INFINITE_TIME
        node.well_since = node.alive_since = INFINITE_TIME
        node.inbox.clear()

    def leave(self, name: str) -> None:
        """SIGTERM: it takes its leave, and stops."""
        self._take(self.nodes[name], Leaving())
        self.kill(name)

    def pause(self, name: str) -> None:
        """The process does not run; its host goes on."""
        node = self.nodes[name]
        if node.process is SimProcess.RUNNING:
            node.process, node.well_since = SimProcess.STOPPED, INFINITE_TIME

    def resume(self, name: str) -> None:
        """A paused process runs again: first its timers, then what has come meanwhile."""
        node = self.nodes[name]
        if node.process is not SimProcess.STOPPED:
            return
        node.process = SimProcess.RUNNING
        node.well_since = self.now if node.host_up else INFINITE_TIME
        node.wake = INFINITE_TIME
        self._step(node, None)
        waiting, node.inbox = node.inbox, []
        for event in waiting:
            if node.machine is not None:
                self._step(node, event)

    def starve(self, name: str, seconds: float) -> None:
        """Pauses the process for so long."""
        self.pause(name)
        self.after(seconds, lambda node, _: self.resume(node.name), self.nodes[name], None)

    def power_off(self, name: str) -> None:
        """The host stops answering, and its process with it."""
        self.kill(name)
        self.nodes[name].host_up = False

    def power_on(self, name: str) -> None:
        """The host is up again and starts the process."""
        self.nodes[name].host_up = True
        self.start(name)

    def jump(self, name: str, seconds: float) -> None:
        """The node's clock jumps forward."""
        self.nodes[name].offset += seconds

    def tell(self, name: str, event: Event) -> None:
        """Has the member know something of its surroundings, as of its Lease."""
        self._take(self.nodes[name], event)

    # Time

    def after(self, delay: float, act: Callable[[Any, Any], None], one: Any, two: Any) -> None:
        """Has `act(one, two)` called after so many seconds."""
        self._order += 1
        heapq.heappush(self._agenda, (self.now + delay, self._order, act, one, two))

    def run(self, until: float) -> None:
        """Lets time pass until then."""
        agenda, pop = self._agenda, heapq.heappop
        while agenda and agenda[0][0] <= until:
            self.now, _, act, one, two = pop(agenda)
            act(one, two)
        self.now = until

    def _begin(self, node: SimNode, _: None) -> None:
        if node.process is not SimProcess.DEAD or not node.host_up:
            return
        node.process, node.wake = SimProcess.RUNNING, INFINITE_TIME
        node.well_since = node.alive_since = self.now
        node.epoch = int(self.now * 1000) + 1
        node.machine = Membership(node.name, node.epoch, self.options)
        self._step(node, self.electorate)

    def _wake(self, node: SimNode, at: float) -> None:
        if node.wake != at or node.process is not SimProcess.RUNNING or node.machine is None:
            return
        node.wake = INFINITE_TIME
        due = node.machine.due
        if due is not None and due - node.offset <= self.now + 1e-9:
            self._step(node, None)
        else:
            self._arm(node)

    def _arm(self, node: SimNode) -> None:
        due = node.machine.due if node.machine is not None else None
        if due is not None:
            at = due - node.offset
            if at < self.now:
                at = self.now
            if at < node.wake:
                node.wake = at
                self._order += 1
                heapq.heappush(self._agenda, (at, self._order, self._wake, node, at))

    # Events and actions

    def _take(self, node: SimNode, event: Event) -> None:
        """An event of the node's own process, now or when it runs again."""
        if node.process is SimProcess.RUNNING:
            self._step(node, event)
        elif node.process is SimProcess.STOPPED and len(node.inbox) < INBOX:
            node.inbox.append(event)

    def _step(self, node: SimNode, event: Event | None) -> None:
        machine = node.machine
        assert machine is not None
        local = self.now + node.offset
        if event is None:
            local += 1e-9  # rounded down, a timer would never be due
        for action in machine.step(local, event):
            kind = type(action)
            if kind is Send:
                self._send(node, action)
            elif kind is Look:
                self._look(node, action)
            else:
                self._tell(node, action)
        self._arm(node)

    def _tell(self, node: SimNode, action: Any) -> None:
        for act in self.watch:
            act(self.now, node, action)
        if type(action) is Announce:
            self.after(0.0, self._take, node, Told(action.id))

    def _send(self, node: SimNode, action: Any) -> None:
        node.sent += 1
        self.messages += 1
        if self._weigh:
            self.bytes += MESSAGE_OVERHEAD + len(encode_message(action.message))
        delay = self.network.way(node.name, action.to)
        target = self.nodes.get(action.to)
        if delay is not None and target is not None:
            self._order += 1
            arrival = (
                self.now + delay,
                self._order,
                self._arrive,
                target,
                Received(node.name, node.epoch, action.message),
            )
            heapq.heappush(self._agenda, arrival)

    def _arrive(self, node: SimNode, event: Any) -> None:
        node.received += 1
        if node.process is SimProcess.RUNNING:
            self._step(node, event)
        elif node.process is SimProcess.STOPPED:
            if len(node.inbox) < INBOX:
                node.inbox.append(event)
        elif node.host_up:
            self._answer(node.name, event.source, Refused(node.name))

    def _answer(self, name: str, to: str, event: Event) -> None:
        """What a kernel sends back."""
        delay, target = self.network.way(name, to), self.nodes.get(to)
        if delay is not None and target is not None:
            self.after(delay, self._take, target, event)

    def _look(self, node: SimNode, look: Any) -> None:
        """A handshake and an ICMP echo, side by side; each is lost on its own. What only the echo answered is known
        when the handshake has had its time."""
        target = self.nodes.get(look.target)
        sight, delay = Reachability.SILENT, look.timeout
        if target is not None and target.host_up:
            handshake = self._there_and_back(node.name, target.name)
            if handshake is not None and handshake < look.timeout:
                sight, delay = (
                    Reachability.REFUSED if target.process is SimProcess.DEAD else Reachability.KERNEL,
                    handshake,
                )
            elif (echo := self._there_and_back(node.name, target.name)) is not None and echo < look.timeout:
                sight = Reachability.KERNEL
        self.after(delay, self._looked, node, (node.epoch, Looked(look.number, look.target, sight)))

    def _there_and_back(self, source: str, target: str) -> float | None:
        there, back = self.network.way(source, target), self.network.way(target, source)
        return None if there is None or back is None else there + back

    def _looked(self, node: SimNode, found: tuple[int, Looked]) -> None:
        epoch, event = found
        if epoch == node.epoch:
            self._take(node, event)

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
from kubesonar.core.membership.member_view import Electorate
from kubesonar.core.membership.messages import Sight, encode
from kubesonar.core.wire.codec import MESSAGE_OVERHEAD
from kubesonar.model import Member, Roster
from kubesonar.model import Network as Kind
from kubesonar.sim.network import Network
from kubesonar.sim.node import INBOX, Node, Process

if TYPE_CHECKING:
    from random import Random

NEVER = float("inf")
START = 0.3
"""How long a process takes to start (s)."""

Act = Callable[[float, Node, Action], None]


class World:
    """`watch` are told (time, node, action) of every action but messages and looks. What is announced counts as told to
    the world at once. With `weigh`, the bytes of all datagrams are counted, which takes its time."""

    def __init__(
        self, dice: Random, options: MembershipOptions | None = None, act: Act | None = None, *, weigh: bool = False
    ) -> None:
        self.now = 0.0
        self.dice = dice
        self.options = options or MembershipOptions()
        self.network = Network(dice)
        self.nodes: dict[str, Node] = {}
        self.messages = 0
        self.bytes = 0
        self.electorate = Electorate(Roster("0", ()), Kind.POD)
        self.watch: list[Act] = [act] if act is not None else []
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
        self.electorate = Electorate(roster, Kind.POD, self.options.election.order)
        for member in roster.members:
            node = self.nodes.get(member.name)
            if node is None:
                self.nodes[member.name] = Node(member, self.dice.uniform(0, 1000))
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
        if node.process is Process.DEAD:
            self.after(START, self._begin, node, None)

    def kill(self, name: str) -> None:
        """kill -9."""
        node = self.nodes[name]
        node.process, node.machine, node.wake = Process.DEAD, None, NEVER
        node.well_since = node.alive_since = NEVER
        node.inbox.clear()

    def leave(self, name: str) -> None:
        """SIGTERM: it takes its leave, and stops."""
        self._take(self.nodes[name], Leaving())
        self.kill(name)

    def pause(self, name: str) -> None:
        """The process does not run; its host goes on."""
        node = self.nodes[name]
        if node.process is Process.RUNNING:
            node.process, node.well_since = Process.STOPPED, NEVER

    def resume(self, name: str) -> None:
        """A paused process runs again: first its timers, then what has come meanwhile."""
        node = self.nodes[name]
        if node.process is not Process.STOPPED:
            return
        node.process = Process.RUNNING
        node.well_since = self.now if node.host_up else NEVER
        node.wake = NEVER
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

    def _begin(self, node: Node, _: None) -> None:
        if node.process is not Process.DEAD or not node.host_up:
            return
        node.process, node.wake = Process.RUNNING, NEVER
        node.well_since = node.alive_since = self.now
        node.epoch = int(self.now * 1000) + 1
        node.machine = Membership(node.name, node.epoch, self.options)
        self._step(node, self.electorate)

    def _wake(self, node: Node, at: float) -> None:
        if node.wake != at or node.process is not Process.RUNNING or node.machine is None:
            return
        node.wake = NEVER
        due = node.machine.due
        if due is not None and due - node.offset <= self.now + 1e-9:
            self._step(node, None)
        else:
            self._arm(node)

    def _arm(self, node: Node) -> None:
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

    def _take(self, node: Node, event: Event) -> None:
        """An event of the node's own process, now or when it runs again."""
        if node.process is Process.RUNNING:
            self._step(node, event)
        elif node.process is Process.STOPPED and len(node.inbox) < INBOX:
            node.inbox.append(event)

    def _step(self, node: Node, event: Event | None) -> None:
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

    def _tell(self, node: Node, action: Any) -> None:
        for act in self.watch:
            act(self.now, node, action)
        if type(action) is Announce:
            self.after(0.0, self._take, node, Told(action.id))

    def _send(self, node: Node, action: Any) -> None:
        node.sent += 1
        self.messages += 1
        if self._weigh:
            self.bytes += MESSAGE_OVERHEAD + len(encode(action.message))
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

    def _arrive(self, node: Node, event: Any) -> None:
        node.received += 1
        if node.process is Process.RUNNING:
            self._step(node, event)
        elif node.process is Process.STOPPED:
            if len(node.inbox) < INBOX:
                node.inbox.append(event)
        elif node.host_up:
            self._answer(node.name, event.source, Refused(node.name))

    def _answer(self, name: str, to: str, event: Event) -> None:
        """What a kernel sends back."""
        delay, target = self.network.way(name, to), self.nodes.get(to)
        if delay is not None and target is not None:
            self.after(delay, self._take, target, event)

    def _look(self, node: Node, look: Any) -> None:
        """A handshake and an ICMP echo, side by side; each is lost on its own. What only the echo answered is known
        when the handshake has had its time."""
        target = self.nodes.get(look.target)
        sight, delay = Sight.SILENT, look.timeout
        if target is not None and target.host_up:
            handshake = self._there_and_back(node.name, target.name)
            if handshake is not None and handshake < look.timeout:
                sight, delay = Sight.REFUSED if target.process is Process.DEAD else Sight.KERNEL, handshake
            elif (echo := self._there_and_back(node.name, target.name)) is not None and echo < look.timeout:
                sight = Sight.KERNEL
        self.after(delay, self._looked, node, (node.epoch, Looked(look.number, look.target, sight)))

    def _there_and_back(self, source: str, target: str) -> float | None:
        there, back = self.network.way(source, target), self.network.way(target, source)
        return None if there is None or back is None else there + back

    def _looked(self, node: Node, found: tuple[int, Looked]) -> None:
        epoch, event = found
        if epoch == node.epoch:
            self._take(node, event)

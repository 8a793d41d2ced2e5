"""A virtual cluster: nodes, a network and one clock. Everything that happens follows from the commands given and from
the `random.Random` handed in, so that a seed replays a run to the last message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from kubesonar.core.membership.events import (
    Announce,
    Delivered,
    Departed,
    HostProbed,
    Leaving,
    MembershipAction,
    MembershipEvent,
    ProbeHost,
    Received,
    Refused,
    Send,
)
from kubesonar.core.membership.instance import Membership, MembershipOptions
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView, Rank, present_members, without_departed
from kubesonar.core.membership.messages import Reachability, encode_message
from kubesonar.core.wire.codec import MESSAGE_OVERHEAD
from kubesonar.model import Member
from kubesonar.sim.driver import INFINITE_TIME, VirtualDrive, VirtualTime
from kubesonar.sim.network import SimNetwork
from kubesonar.sim.node import SimNode, SimProcess

if TYPE_CHECKING:
    from random import Random

START = 0.3
"""Seconds that a process takes to start."""

_ANSWERS = {
    SimProcess.RUNNING: Reachability.AGENT,
    SimProcess.STOPPED: Reachability.KERNEL,
    SimProcess.DEAD: Reachability.REFUSED,
}

ActionHandler = Callable[[float, SimNode, MembershipAction], None]


def view_of(members: Iterable[Member], order: Rank = Rank.NATURAL) -> MemberView:
    """A view of these members by name: in a simulation names are unique and never change."""
    return MemberView({member.name: member for member in present_members(members)}, order)


class SimWorld(VirtualTime):
    """`watch` are called with (time, node, action) for every action but messages and host probes. An announcement
    counts as delivered at once. Members that are `older` know nobody of the other network, as before both elected one
    coordinator. With `weigh`, the bytes of all datagrams are counted, which takes its time."""

    def __init__(
        self,
        rng: Random,
        options: MembershipOptions | None = None,
        act: ActionHandler | None = None,
        *,
        weigh: bool = False,
    ) -> None:
        super().__init__()
        self.rng = rng
        self.options = options or MembershipOptions()
        self.network = SimNetwork(rng)
        self.nodes: dict[str, SimNode] = {}
        self.older: set[str] = set()
        self.messages = 0
        self.bytes = 0
        self.view = NO_MEMBERS
        self.watch: list[ActionHandler] = [act] if act is not None else []
        self._weigh = weigh

    # The roster

    def populate(self, members: Iterable[Member]) -> None:
        """Make these the members from now on; new ones run as soon as they are started (`start`)."""
        present = {member.name: member for member in members}
        self.view = view_of(present.values(), self.options.election.order)
        for member in present.values():
            node = self.nodes.get(member.name)
            if node is None:
                self.nodes[member.name] = SimNode(member, self.rng.uniform(0, 1000))
            else:
                node.member = member
        for node in self.nodes.values():
            self._feed_view(node)

    def _feed_view(self, node: SimNode) -> None:
        """Tell a member who the members are, and who of them took its leave as far as it heard."""
        node.feed(self._view_of(node))

    def _view_of(self, node: SimNode) -> MemberView:
        left = {self.nodes[name].member.identity: 0.0 for name in node.departed & self.nodes.keys()}
        view = view_of(without_departed(self.members, left), self.options.election.order) if left else self.view
        return view.within(node.name) if node.name in self.older else view

    def remove(self, names: Iterable[str]) -> None:
        """Take these members off the roster."""
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
        """Start a process that is dead; it is a new one, with a new epoch."""
        node = self.nodes[name]
        if node.process is SimProcess.DEAD:
            self.after(START, self._begin, node)

    def kill(self, name: str) -> None:
        """End a process without a word, as kill -9 does."""
        node = self.nodes[name]
        if node.drive is not None:
            node.drive.pause()
        node.process, node.machine, node.drive = SimProcess.DEAD, None, None
        node.well_since = node.alive_since = INFINITE_TIME
        node.inbox.clear()

    def leave(self, name: str) -> None:
        """End a process in order, as SIGTERM does: it takes its leave."""
        self.nodes[name].feed(Leaving())
        self.kill(name)

    def pause(self, name: str) -> None:
        """Stop running a process; its host goes on."""
        node = self.nodes[name]
        if node.process is SimProcess.RUNNING and node.drive is not None:
            node.process, node.well_since = SimProcess.STOPPED, INFINITE_TIME
            node.drive.pause()

    def resume(self, name: str) -> None:
        """Run a paused process again: first its timers, then what has come meanwhile."""
        node = self.nodes[name]
        if node.process is not SimProcess.STOPPED or node.drive is None:
            return
        node.process = SimProcess.RUNNING
        node.well_since = self.now if node.host_up else INFINITE_TIME
        node.drive.resume()
        waiting, node.inbox = node.inbox, []
        for event in waiting:
            node.feed(event)

    def starve(self, name: str, seconds: float) -> None:
        """Pause a process for so long."""
        self.pause(name)
        self.after(seconds, self.resume, name)

    def power_off(self, name: str) -> None:
        """Silence a host, and its process with it."""
        self.kill(name)
        self.nodes[name].host_up = False

    def power_on(self, name: str) -> None:
        """Bring a host up again; it starts the process."""
        self.nodes[name].host_up = True
        self.start(name)

    def jump(self, name: str, seconds: float) -> None:
        """Let a node's clock jump forward."""
        node = self.nodes[name]
        node.offset += seconds
        if node.drive is not None:
            node.drive.offset = node.offset

    def feed(self, name: str, event: MembershipEvent) -> None:
        """Hand an event to a member from outside of the network, as of its Lease."""
        self.nodes[name].feed(event)

    def _begin(self, node: SimNode) -> None:
        if node.process is not SimProcess.DEAD or not node.host_up:
            return
        node.process = SimProcess.RUNNING
        node.well_since = node.alive_since = self.now
        node.epoch = int(self.now * 1000) + 1
        node.machine = Membership(node.name, node.epoch, self.options)
        node.drive = VirtualDrive(self, node.machine, partial(self._act, node), node.offset)
        node.departed = frozenset()
        node.drive.feed(self._view_of(node))

    # Actions

    def _act(self, node: SimNode, action: Any) -> None:
        kind = type(action)
        if kind is Send:
            self._send(node, action)
        elif kind is ProbeHost:
            self._probe_host(node, action)
        elif kind is Departed:
            node.departed = action.members
            self.after(0.0, self._feed_view, node)
        else:
            for act in self.watch:
                act(self.now, node, action)
            if kind is Announce:
                self.after(0.0, node.feed, Delivered(action.id))

    def _send(self, node: SimNode, action: Send) -> None:
        node.sent += 1
        self.messages += 1
        if self._weigh:
            self.bytes += MESSAGE_OVERHEAD + len(encode_message(action.message))
        delay = self.network.way(node.name, action.to)
        target = self.nodes.get(action.to)
        if delay is not None and target is not None:
            self.after(delay, self._arrive, target, Received(node.name, node.epoch, action.message))

    def _arrive(self, node: SimNode, event: Received) -> None:
        node.received += 1
        if node.process is not SimProcess.DEAD:
            node.feed(event)
        elif node.host_up:  # its kernel refuses
            delay, source = self.network.way(node.name, event.source), self.nodes.get(event.source)
            if delay is not None and source is not None:
                self.after(delay, source.feed, Refused(node.name))

    def _probe_host(self, node: SimNode, probe: ProbeHost) -> None:
        """A probe of the agent with a handshake, and an ICMP echo, side by side; each is lost on its own. What only the
        echo answered is known when the others have had their time."""
        target = self.nodes.get(probe.target)
        found, delay = Reachability.SILENT, probe.timeout
        if target is not None and target.host_up:
            handshake = self._there_and_back(node.name, target.name)
            if handshake is not None and handshake < probe.timeout:
                found, delay = _ANSWERS[target.process], handshake
            elif (echo := self._there_and_back(node.name, target.name)) is not None and echo < probe.timeout:
                found = Reachability.KERNEL
        self.after(delay, self._host_probed, node, node.epoch, HostProbed(probe.number, probe.target, found))

    def _there_and_back(self, source: str, target: str) -> float | None:
        there, back = self.network.way(source, target), self.network.way(target, source)
        return None if there is None or back is None else there + back

    def _host_probed(self, node: SimNode, epoch: int, event: HostProbed) -> None:
        if epoch == node.epoch:
            node.feed(event)

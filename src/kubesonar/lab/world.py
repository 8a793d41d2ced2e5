"""A running lab: its namespaces and links, the processes in them, and the active faults.

It must be built, and its processes started, from the main thread of a process without other threads.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import msgspec

from kubesonar.lab.directory import Directory
from kubesonar.lab.faults import Act, FaultError, LabFault
from kubesonar.lab.kernel.namespaces import new_network
from kubesonar.lab.kernel.processes import LabProcess, Main
from kubesonar.lab.network import firewall, links, shaper
from kubesonar.lab.topology import DNS_CACHE, DNS_VIP, LabNode, LabPlan, LabServer, Role
from kubesonar.model import Member, State

MAX_FAULTS = 64
"""Most faults that are active at once; another one is refused."""
_REASON = "said by the lab"


class LabWorld:
    """A small mesh on this machine, to be closed, or used as a context manager. Closing ends every process by its id
    and releases every namespace; after an abrupt end the kernel does the same (kernel/isolate.py)."""

    def __init__(self, plan: LabPlan, directory: Directory) -> None:
        self.plan = plan
        self.directory = directory
        self.processes: dict[str, LabProcess] = {}
        """Processes by the name of the member or server."""
        self._namespaces: dict[str, int] = {}
        self._active: dict[tuple[str, str, str, float], LabFault] = {}
        self._acts: dict[Act, Callable[[LabFault], None]] = {
            Act.FIREWALL: self._filter,
            Act.SHAPER: self._shape,
            Act.PROCESS: self._handle,
            Act.ROSTER: self._declare,
            Act.CLEAR: lambda _fault: self.clear(),
        }

    @classmethod
    def build(cls, plan: LabPlan, directory: Directory) -> Self:
        """Make what is planned and write the roster. Raises OSError or pyroute2's NetlinkError where the kernel
        refuses; then nothing is left."""
        world = cls(plan, directory)
        try:
            if plan.namespaces:
                for name in (*plan.stations, *(node.pod.name for node in plan.nodes)):
                    world._namespaces[name] = new_network()
                links.build(plan, world._namespaces)
                for node in plan.nodes if plan.dns else ():
                    world._translate(node, True)
            world._write_roster()
        except BaseException:
            world.close()
            raise
        return world

    @property
    def faults(self) -> tuple[LabFault, ...]:
        """Active faults, oldest first."""
        return tuple(self._active.values())

    @property
    def fallen(self) -> tuple[LabProcess, ...]:
        """Processes that ended without a fault that ends them."""
        killed = {each.name for fault in self.faults if fault.verb == "kill" for each in self._processes_of(fault)}
        return tuple(each for name, each in self.processes.items() if name not in killed and not each.running)

    def network(self, name: str) -> int | None:
        """Return the open descriptor of the namespace of that node, server or pod network; None on loopback."""
        return self._namespaces.get(name)

    def start(self, member: Member, main: Main) -> LabProcess:
        """Start a member's agent in its namespace."""
        return self._start(member.name, self.plan.home(member), main)

    def start_cache(self, node: LabNode, main: Main) -> LabProcess:
        """Start the DNS cache of a node in its namespace."""
        return self._start(f"cache-{node.name}", node.name, main)

    def start_server(self, server: LabServer, main: Main) -> LabProcess:
        """Start a server in its namespace."""
        return self._start(server.name, server.name, main)

    def apply(self, fault: LabFault) -> None:
        """Inject a fault as a whole. Raises FaultError; then nothing has changed."""
        if fault.act in (Act.FIREWALL, Act.SHAPER) and not self.plan.namespaces:
            raise FaultError(f"{fault.text}: needs network namespaces, and this lab runs on loopback addresses")
        if len(self._active) >= MAX_FAULTS and fault.act is not Act.CLEAR and fault.key not in self._active:
            raise FaultError(f"{fault.text}: {MAX_FAULTS} faults are active, clear them first")
        self._acts[fault.act](fault)

    def clear(self) -> None:
        """Undo every fault: links work, frozen agents continue, killed ones are started again, all members serve."""
        active, self._active = self.faults, {}
        acts = {fault.act for fault in active}
        if Act.FIREWALL in acts:
            self._load(active, ())
        for fault in active:
            if fault.act is Act.SHAPER:
                shaper.shape(fault.target, self._namespaces[fault.target], None)
            for process in self._processes_of(fault) if fault.act is Act.PROCESS else ():
                process.resume()
                self._restart(process)
        if Act.ROSTER in acts:
            self._write_roster()

    def close(self) -> None:
        """End all processes and release the namespaces and the directory. Does nothing the second time."""
        for process in self.processes.values():
            process.kill()
        for descriptor in self._namespaces.values():
            os.close(descriptor)
        self.processes, self._namespaces = {}, {}
        self.directory.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, name: str, home: str, main: Main) -> LabProcess:
        process = LabProcess(name, main, self.network(home), self.directory.log(name))
        self.processes[name] = process
        process.start()
        return process

    def _restart(self, process: LabProcess) -> None:
        if not process.running:
            self.directory.agent_socket(process.name).unlink(missing_ok=True)
            process.start()

    def _filter(self, fault: LabFault) -> None:
        wanted = {**self._active, fault.key: fault}
        self._load(self.faults, wanted.values())
        self._active = wanted

    def _load(self, before: Iterable[LabFault], after: Iterable[LabFault]) -> None:
        """Replace the rules of `before` by those of `after`; restore them where a new one is refused."""
        try:
            self._load_rules(before, after)
        except FaultError:
            with contextlib.suppress(FaultError):
                self._load_rules(after, before)
            raise

    def _load_rules(self, before: Iterable[LabFault], after: Iterable[LabFault]) -> None:
        before, after = [*before], [*after]
        firewall.load_rules(firewall.bridge_script(after), None)
        cut, was = _broken("podnet", after), _broken("podnet", before)
        mute, silent = _broken("cache", after), _broken("cache", before)
        lost, astray = _broken("vip", after), _broken("vip", before)
        for node in self.plan.nodes:
            if node.name in (cut ^ was) | (mute ^ silent):
                pods, cache = links.POD_LINK if node.name in cut else "", DNS_CACHE if node.name in mute else ""
                firewall.load_rules(firewall.inlet_script(pods, cache), self.network(node.name))
                inlet = firewall.inlet_script(links.UPLINK if node.name in cut else "")
                firewall.load_rules(inlet, self.network(node.pod.name))
            if node.name in lost ^ astray:
                self._translate(node, node.name not in lost)

    def _translate(self, node: LabNode, well: bool) -> None:
        """Let a node translate the DNS Service's address, or do so no more. Raises FaultError without nft."""
        servers = [server.addresses[0] for server in self.plan.of_role(Role.DNS)] if well else []
        firewall.load_rules(firewall.service_script(DNS_VIP, servers), self.network(node.name))

    def _shape(self, fault: LabFault) -> None:
        shaper.shape(fault.target, self._namespaces[fault.target], fault.amount)
        self._active[fault.key] = fault

    def _handle(self, fault: LabFault) -> None:
        processes = self._processes_of(fault)
        if not processes:
            raise FaultError(f"{fault.text}: no agent was started on {fault.target}")
        frozen = ("pause", "", fault.target, 0.0)
        if fault.verb == "pause" and ("kill", "", fault.target, 0.0) in self._active:
            raise FaultError(f"{fault.text}: the agents on {fault.target} are killed, clear brings them back")
        for process in processes:
            {"kill": process.kill, "pause": process.pause, "resume": process.resume}[fault.verb]()
        self._active.pop(frozen, None)
        if fault.verb != "resume":
            self._active[fault.key] = fault

    def _declare(self, fault: LabFault) -> None:
        self._active.pop(fault.key, None)
        if fault.state is not State.SERVING:
            self._active[fault.key] = fault
        self._write_roster()

    def _write_roster(self) -> None:
        states = {fault.target: fault.state for fault in self.faults if fault.verb == "state"}
        self.directory.write_roster(
            msgspec.structs.replace(member, state=states[member.node], reason=_REASON)
            if member.node in states
            else member
            for member in self.plan.members
        )

    def _processes_of(self, fault: LabFault) -> tuple[LabProcess, ...]:
        names = [member.name for member in self.plan.members if member.node == fault.target] or [fault.target]
        return tuple(self.processes[name] for name in names if name in self.processes)


def _broken(verb: str, faults: Iterable[LabFault]) -> set[str]:
    """The nodes of the active faults of that verb."""
    return {fault.target for fault in faults if fault.verb == verb}

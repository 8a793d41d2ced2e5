"""A simulated member: its host's kernel, its process and its clock, each of which may fail by itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from kubesonar.core.membership.instance import Membership
from kubesonar.model import Member
from kubesonar.sim.driver import INFINITE_TIME, VirtualDrive

INBOX = 4096
"""Most messages that wait for a process that is not running; more are dropped, as from a socket's buffer."""


class SimProcess(StrEnum):
    """RUNNING; STOPPED (frozen or starved: the kernel goes on); DEAD: its port is closed."""

    RUNNING = "running"
    STOPPED = "stopped"
    DEAD = "dead"


class SimNode:
    """`machine` and the `drive` that steps it are there while the process is. `offset` is what the node's clock shows
    less the world's (s). The process was started at `alive_since` and has run without interruption since `well_since`,
    infinity where it does not. `departed` are the members of which it
    heard that they took their leave."""

    __slots__ = (
        "alive_since",
        "departed",
        "drive",
        "epoch",
        "host_up",
        "inbox",
        "machine",
        "member",
        "name",
        "offset",
        "process",
        "received",
        "sent",
        "well_since",
    )

    def __init__(self, member: Member, offset: float) -> None:
        self.member = member
        self.name = member.name
        self.offset = offset
        self.departed: frozenset[str] = frozenset()
        self.machine: Membership | None = None
        self.drive: VirtualDrive | None = None
        self.epoch = 0
        self.alive_since = INFINITE_TIME
        self.host_up = True
        self.process = SimProcess.DEAD
        self.inbox: list[Any] = []
        self.well_since = INFINITE_TIME
        self.sent = 0
        self.received = 0

    def feed(self, event: Any) -> None:
        """Hand an event to the process, now or when it runs again; a dead one is past it."""
        if self.process is SimProcess.RUNNING and self.drive is not None:
            self.drive.feed(event)
        elif self.process is SimProcess.STOPPED and len(self.inbox) < INBOX:
            self.inbox.append(event)

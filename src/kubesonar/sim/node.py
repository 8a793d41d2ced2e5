"""A simulated member: its host's kernel, its process and its clock, each of which may fail by itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from kubesonar.core.membership.instance import Membership
from kubesonar.model import Member

INBOX = 4096
"""Most messages that wait for a process that is not running; more are dropped, as from a socket's buffer."""


class SimProcess(StrEnum):
    """RUNNING; STOPPED (frozen or starved: the kernel goes on); DEAD: its port is closed."""

    RUNNING = "running"
    STOPPED = "stopped"
    DEAD = "dead"


class SimNode:
    """`offset` is what the node's clock shows less the world's (s). `alive_since` is when its process was started,
    `well_since` when it last began to run, infinity while it is not or does not."""

    __slots__ = (
        "alive_since",
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
        "wake",
        "well_since",
    )

    def __init__(self, member: Member, offset: float) -> None:
        self.member = member
        self.name = member.name
        self.offset = offset
        self.machine: Membership | None = None
        self.epoch = 0
        self.alive_since = float("inf")
        self.host_up = True
        self.process = SimProcess.DEAD
        self.inbox: list[Any] = []
        self.wake = float("inf")
        self.well_since = float("inf")
        self.sent = 0
        self.received = 0

"""Pods and nodes of the lab as an API server lists them, read-only, made from the members file.

The least that the protocol allows (https://kubernetes.io/docs/reference/using-api/api-concepts/): a list has a version;
a watch of that version lasts until something changes and then reports 410 Gone, upon which the client lists again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec

from kubesonar.core.decoding import decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.model import Member, Network, State
from kubesonar.web import Reply, Request

POLL = 0.2
"""Seconds between two looks at the members file."""

_WATCH = 300.0
"""Seconds after which a watch ends without a change."""
_PATHS = {"/api/v1/nodes": "Node", "/api/v1/pods": "Pod"}
_GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
_CORDONED = frozenset({State.CORDONED, State.DRAINING})


class _Roster(msgspec.Struct):
    members: tuple[Member, ...]


class LabCluster:
    """Replies for the collections in `_PATHS`; `follow` keeps them current."""

    def __init__(self, roster: Path) -> None:
        self._roster = roster
        self._text = b""
        self._version = 0
        self._objects: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._read()

    def has(self, path: str) -> bool:
        """Whether there is a collection at that path."""
        return path in _PATHS

    async def follow(self) -> None:
        """Read the members file again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(POLL)
            self._read()

    def reply(self, request: Request) -> Reply:
        """Return the list or the watch that is asked for."""
        query = request.query_string.split(b"&")
        if b"watch=true" in query:
            return Reply(self._watch(f"resourceVersion={self._version}".encode() in query))
        return Reply(encode_json(self._listed(_PATHS[request.path])))

    async def _watch(self, current: bool) -> AsyncGenerator[bytes, None]:
        if not current or await self._changes():
            yield encode_json({"type": "ERROR", "object": _GONE}) + b"\n"

    async def _changes(self) -> bool:
        """Wait for a change; False where none comes within the time of a watch."""
        try:
            await asyncio.wait_for(self._news.wait(), _WATCH)
        except TimeoutError:
            return False
        return True

    def _listed(self, kind: str) -> dict[str, Any]:
        version = {"resourceVersion": str(self._version)}
        return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": version, "items": self._objects[kind]}

    def _read(self) -> None:
        text = self._roster.read_bytes()
        if text == self._text:
            return
        self._text = text
        self._version += 1
        members = [m for m in decode_json(text, _Roster).members if m.state is not State.DELETED]
        hosts = {member.node: member for member in members if member.network is Network.HOST}
        self._objects = {
            "Node": [_node(member) for member in hosts.values()],
            "Pod": [_pod(member, hosts.get(member.node)) for member in members if member.network is Network.POD],
        }
        before, self._news = self._news, asyncio.Event()
        before.set()


def _node(member: Member) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": member.node, "topology.kubernetes.io/zone": member.zone}
    spec = {"unschedulable": True} if member.state in _CORDONED else {}
    return {"metadata": {"name": member.node, "labels": labels}, "spec": spec}


def _pod(member: Member, host: Member | None) -> dict[str, Any]:
    first = member.addresses[0]
    return {
        "metadata": {"name": member.name, "namespace": "default"},
        "spec": {"nodeName": member.node},
        "status": {
            "phase": "Pending" if member.state is State.STARTING else "Running",
            "podIP": first,
            "podIPs": [{"ip": address} for address in member.addresses],
            "hostIP": host.addresses[0] if host else first,
        },
    }

"""The lab's pods and nodes as an API server tells of them, read-only, from the members file.

As little as the protocol allows (https://kubernetes.io/docs/reference/using-api/api-concepts/): a list has a version; a
watch of that version lasts until something changes and then says 410 Gone, upon which whoever watches lists again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from kubesonar.model import Member, Network, State
from kubesonar.web.asgi import Receive, Scope, Send

POLL = 0.2
"""Seconds between two looks at the members file."""

_WATCH = 300.0
_PATHS = {"/api/v1/nodes": "Node", "/api/v1/pods": "Pod"}
_HEADERS = [(b"content-type", b"application/json")]
_GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
_CORDONED = frozenset({State.CORDONED, State.DRAINING})


class _Roster(msgspec.Struct):
    members: tuple[Member, ...]


class LabCluster:
    """An ASGI application for the collections in `_PATHS`; `follow` keeps it current."""

    def __init__(self, roster: Path) -> None:
        self._roster = roster
        self._text = b""
        self._version = 0
        self._objects: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._read()

    def has(self, path: str) -> bool:
        """Whether there is such a collection."""
        return path in _PATHS

    async def follow(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(POLL)
            self._read()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI defines it."""
        kind, query = _PATHS[scope["path"]], scope["query_string"].split(b"&")
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": b"", "more_body": True})  # a watch has begun
        if b"watch=true" not in query:
            body = msgspec.json.encode(self._listed(kind))
        elif f"resourceVersion={self._version}".encode() in query and not await self._changes():
            body = b""
        else:
            body = msgspec.json.encode({"type": "ERROR", "object": _GONE}) + b"\n"
        await send({"type": "http.response.body", "body": body})

    async def _changes(self) -> bool:
        """Whether anything changes within the time of a watch."""
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
        members = [m for m in msgspec.json.decode(text, type=_Roster).members if m.state is not State.DELETED]
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

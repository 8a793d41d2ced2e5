"""An HTTPS endpoint that resembles an API server: its version, its health, Leases, and the lab's pods and nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from kubesonar.lab.servers.api_leases import LabLeases
from kubesonar.lab.servers.api_objects import LabCluster
from kubesonar.lab.servers.certificates import Certificates
from kubesonar.lab.servers.listening import joined, serve
from kubesonar.web import ListenOptions, Reply, Request

_WATCH = 600.0
"""Seconds that a reply may take: longer than a watch."""
_VERSION = b'{"major":"1","minor":"0","gitVersion":"v1.0.0-lab","platform":"linux/lab"}'
_PAGES = {
    "/version": Reply(_VERSION),
    "/healthz": Reply(b"ok", "text/plain"),
    "/livez": Reply(b"ok", "text/plain"),
    "/readyz": Reply(b"ok", "text/plain"),
}


async def api_server(
    addresses: Sequence[str], port: int, certificates: Certificates, roster: Path, stop: asyncio.Event
) -> None:
    """Serve over HTTPS, until `stop` is set, what anybody may read of an API server, the pods and nodes of the members
    file `roster`, and Leases. Raises ConfigError where it cannot listen."""
    files = {"certificate_file": str(certificates.chain), "key_file": str(certificates.key)}
    cluster, leases = LabCluster(roster), LabLeases()

    async def handler(request: Request) -> Reply:
        if leases.has(request.path):
            return leases.reply(request)
        page = _PAGES.get(request.path)
        if page is None and not cluster.has(request.path):
            return Reply(b"404 page not found", "text/plain", 404)
        if request.method not in ("GET", "HEAD"):
            return Reply(b"405 method not allowed", "text/plain", 405)
        return page or cluster.reply(request)

    following = asyncio.create_task(cluster.follow())
    try:
        listeners = [ListenOptions(address=joined(one, port), **files) for one in addresses]
        await serve(listeners, handler, stop, _WATCH)
    finally:
        following.cancel()

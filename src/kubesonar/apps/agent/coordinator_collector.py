"""Runs a collector beside this agent while it coordinates a small mesh that has none (docs/membership.md)."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.core.address import bracketed
from kubesonar.core.encoding import encode_json
from kubesonar.model import Member, Roster

_LOG = logging.getLogger("kubesonar.agent")

MOST_JUDGED = 50
"""Most members of a mesh whose coordinator judges. More, and an agent's node carries what a collector is for; fewer,
and more meshes need one."""

_REMEMBERED = 4 * MOST_JUDGED
"""Most agents whose reports are kept: those of a mesh, and of what was replaced in it lately. Fewer, and after some
rollouts new ones are refused; more, and whoever has a key takes more memory."""

_PAUSE, _LONGEST_PAUSE = 5.0, 80.0
"""Seconds before a collector that ended is started again, doubled each time up to the second. Longer, and nothing is
judged for as long; shorter, and one that cannot start takes a CPU and fills the log."""

_LEAVING = 5.0
"""Seconds that it has to end: notices on their way are told. Longer, and the agent's own leave is late."""

_FORMATS = ("native", "alertmanager")
"""Formats of notices that a collector has too; receivers of others are told by the agent itself, of members only."""


class CoordinatorCollector:
    """Runs the collector of a coordinator, once it `run`s, on the addresses `bind`: while this agent coordinates a mesh
    of at most `MOST_JUDGED` members. `me` returns this agent's member, by whose name it speaks."""

    def __init__(self, options: AgentOptions, bind: Sequence[str], me: Callable[[], Member]) -> None:
        self._options = options
        self._bind = bind
        self._me = me
        self._mine = False
        self._few = True
        self._changed = asyncio.Event()

    def elected(self, mine: bool) -> None:
        """Take note whether this agent coordinates."""
        self._mine = mine
        self._changed.set()

    def roster_changed(self, roster: Roster) -> None:
        """Take note of how many members there are."""
        few = len(roster.members) <= MOST_JUDGED
        if self._few and not few:
            _LOG.warning(
                "the coordinator does not judge: the mesh has %d members, more than %d need a collector (reports.to)",
                len(roster.members),
                MOST_JUDGED,
            )
        self._few = few
        self._changed.set()

    def target(self, roster: Roster, coordinator: str) -> Member | None:
        """Return to whom members of this roster report: the `coordinator` (by name), None where nobody judges."""
        return roster.named(coordinator) if coordinator and len(roster.members) <= MOST_JUDGED else None

    async def run(self) -> None:
        """Start and stop the collector as this agent's part changes, until cancelled."""
        pause = _PAUSE
        while True:
            await self._until(wanted=True)
            _LOG.info("judging for this mesh, which has no collector", extra={"port": self._options.coordinator.port})
            if await self._serve():
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _PAUSE

    async def _serve(self) -> bool:
        """Run one collector until it is not wanted any more; return whether it ended before."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kubesonar.apps.collector.of_coordinator",
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # a terminal's interrupt is for the agent, which ends this one in order
        )
        assert process.stdin is not None
        ended, unwanted = asyncio.create_task(process.wait()), asyncio.create_task(self._until(wanted=False))
        try:
            process.stdin.write(self._document() + b"\n")
            done, _ = await asyncio.wait((ended, unwanted), return_when=asyncio.FIRST_COMPLETED)
            if ended in done:
                _LOG.error("the coordinator's collector has ended", extra={"status": process.returncode})
            return ended in done
        finally:
            unwanted.cancel()
            process.stdin.close()
            try:
                async with asyncio.timeout(_LEAVING):
                    await asyncio.shield(ended)
            except TimeoutError:
                process.kill()
                await ended

    async def _until(self, *, wanted: bool) -> None:
        while (self._mine and self._few) is not wanted:
            self._changed.clear()
            await self._changed.wait()

    def _document(self) -> bytes:
        """Return the options of the collector as JSON, as `apps.collector.options.CollectorOptions` has them, which
        loads more than an agent should."""
        options = self._options
        receivers = tuple(one for one in options.notify.receivers if one.format in _FORMATS)
        return encode_json(
            {
                "listen": [{"address": f"{bracketed(host)}:{options.coordinator.port}"} for host in self._bind],
                "reports": {"auth": "keys", "keys_file": options.keys.file},
                "agents": {"members": _REMEMBERED},
                "api": {"token_file": options.api.token_file},
                "replicas": {"name": self._me().name},
                "cluster": options.cluster.name,
                "notify": replace(options.notify, receivers=receivers, directory=""),
                "log": options.log,
            }
        )

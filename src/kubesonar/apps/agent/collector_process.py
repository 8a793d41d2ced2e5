"""The process of a coordinator's collector: started with its options, and ended in order."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from kubesonar.apps.agent.coordinator_collector import MOST_JUDGED
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.core.address import bracketed
from kubesonar.core.encoding import encode_json
from kubesonar.model import Member
from kubesonar.web import inherited_descriptor

_LOG = logging.getLogger("kubesonar.agent")

_REMEMBERED = 4 * MOST_JUDGED
"""Most agents whose reports are kept: those of a mesh, and of what was replaced in it lately. Fewer, and after some
rollouts new ones are refused; more, and whoever has a key takes more memory."""

_LEAVING = 5.0
"""Seconds that it has to end: notices on their way are told. Longer, and the agent's own leave is late."""

_FORMATS = ("native", "alertmanager")
"""Formats of notices that a collector has too; receivers of others are told by the agent itself, of members only."""


class CollectorProcess:
    """Starts the collector of a coordinator on the addresses `bind`. `me` returns this agent's member, by whose name it
    speaks."""

    def __init__(self, options: AgentOptions, bind: Sequence[str], me: Callable[[], Member]) -> None:
        self._options = options
        self._bind = bind
        self._me = me

    async def run(self) -> None:
        """Run one collector until it ends, or until cancelled, when it leaves in order."""
        given = (inherited_descriptor(listen.address) for listen in self._options.coordinator.listen)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "kubesonar.apps.collector.of_coordinator",
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,  # a terminal's interrupt is for the agent, which ends this one in order
                pass_fds=[number for number in given if number is not None],
            )
        except OSError as error:
            _LOG.error("the coordinator's collector cannot be started: %s", error.strerror or error)
            return
        _LOG.info("judging for this mesh, which has no collector", extra={"port": self._options.coordinator.port})
        assert process.stdin is not None
        ended = asyncio.create_task(process.wait())
        try:
            process.stdin.write(self._document() + b"\n")
            status = await asyncio.shield(ended)
            _LOG.error("the coordinator's collector has ended", extra={"status": status})
        finally:
            process.stdin.close()
            try:
                async with asyncio.timeout(_LEAVING):
                    await asyncio.shield(ended)
            except TimeoutError:
                process.kill()
                await ended

    def _document(self) -> bytes:
        """Return the options of the collector as JSON, as `apps.collector.options.CollectorOptions` has them, which
        loads more than an agent should."""
        options, judging, me = self._options, self._options.coordinator, self._me()
        receivers = tuple(one for one in options.notify.receivers if one.format in _FORMATS)
        own = ({"address": f"{bracketed(host)}:{judging.port}"} for host in self._bind)
        return encode_json(
            {
                "listen": [*own, *judging.listen],
                "reports": {"auth": "keys", "keys_file": options.keys.file},
                "agents": {"members": _REMEMBERED},
                "api": {"token_file": options.api.token_file},
                "replicas": {"name": me.name},
                "page": {"address": judging.page_at(me.addresses[0] if me.addresses else "")},
                "cluster": options.cluster.name,
                "notify": replace(options.notify, receivers=receivers, directory=""),
                "log": options.log,
            }
        )

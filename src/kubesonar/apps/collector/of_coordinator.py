"""The collector that a coordinator runs beside itself: `python -m kubesonar.apps.collector.of_coordinator`.

Its standard input begins with one line, the `CollectorOptions` as JSON, and ends when it is to leave: so it ends with
the agent also where that is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from importlib.util import find_spec

import uvloop
from msgspec.structs import replace

from kubesonar.apps.collector.collector import Collector
from kubesonar.apps.collector.options import CollectorOptions, CollectorPageOptions
from kubesonar.config import ConfigError
from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.runtime import logs

_LOG = logging.getLogger("kubesonar.collector")

_NICE = 5
"""The niceness by which the agent's own work goes before. More, and on a busy node nothing is judged; less, and judging
delays probes."""


def main() -> int:
    """Run until the standard input ends or a signal comes; return 0 then, 2 where the options cannot be used."""
    try:
        options = decode_json(sys.stdin.buffer.readline(), CollectorOptions)
    except Undecodable as error:
        sys.stderr.write(f"kubesonar: options of the coordinator's collector: {error}\n")
        return 2
    logs.set_up(options.log)
    os.nice(_NICE)
    if find_spec("jinja2") is None:
        _LOG.warning("the page is not served: it needs Jinja2 (pip install 'kubesonar[page]')")
        options = replace(options, page=CollectorPageOptions(enabled=False))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(options))
    except ConfigError as error:
        _LOG.error("the coordinator cannot judge: %s", error)
        return 2
    return 0


async def _run(options: CollectorOptions) -> None:
    """Run a collector until the standard input ends."""
    leave = asyncio.Event()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    ended = asyncio.create_task(_ended(reader, leave))
    try:
        await Collector(options, coordinates=True).run(leave)
    finally:
        ended.cancel()
        transport.close()


async def _ended(reader: asyncio.StreamReader, leave: asyncio.Event) -> None:
    while await reader.read(1024):
        pass
    leave.set()


if __name__ == "__main__":
    sys.exit(main())

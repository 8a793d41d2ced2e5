"""`kubesonar support`: one archive that a bug report needs (docs/support.md).

In: agents or a collector, and what `kubectl sonar support` adds of the cluster. Out: an archive without secrets, by
which `check --from` gives the same verdict.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from kubesonar.apps.client import asking
from kubesonar.apps.client.archive import ArchiveWriter
from kubesonar.apps.client.collector_client import CollectorClient, CollectorSilent
from kubesonar.apps.client.gather import AgentAccess, gather
from kubesonar.apps.client.sources import SnapshotSource
from kubesonar.apps.client.times import file_stamp
from kubesonar.config import ConfigError
from kubesonar.core.encoding import format_json
from kubesonar.model import clip
from kubesonar.net.clock import SystemClock

_HISTORY = 24 * 3600.0
"""Seconds of incidents that are taken along."""

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="The archive; default: kubesonar-support-TIME.tar.gz in this folder."),
]


def main(arguments: Sequence[str]) -> int:
    """Write the archive and say what is in it; return 0, or 2 after wrong usage. Raises ConfigError."""
    return asking.run_parsed(support, arguments, "support")


def support(
    source: asking.Sources = None,
    out: Out = None,
    everybody: asking.Everybody = None,
    token_file: asking.TokenFile = None,
    ca_file: asking.CaFile = None,
    timeout: asking.Timeout = 2.0,
    collector: asking.CollectorUrl = "",
) -> Callable[[], int]:
    """Write one archive for a bug report: the snapshot of every agent, or what the collector says. `kubesonar check
    --from FILE` gives the same verdict from it. In a cluster, `kubectl sonar support` adds logs, nodes and
    configuration."""
    access = asking.access(token_file, ca_file, timeout, everybody, collector)

    def run() -> int:
        writer = ArchiveWriter(SystemClock().wall())
        asking.run_async(take(writer, asking.sources(source or [], access), access))
        return write_archive(writer, out)

    return run


async def take(writer: ArchiveWriter, sources: Sequence[SnapshotSource], access: AgentAccess) -> None:
    """Add what these agents and the collector, where `access` names one, know. Who does not answer is left out."""
    if access.collector:
        client = CollectorClient(access.collector, access.token, access.ca_file, access.timeout)
        try:
            writer.verdict(await client.verdict())
            writer.add("incidents.json", format_json(await client.incidents(max(0.0, writer.at - _HISTORY))))
            writer.add("matrix.json", format_json(await client.matrices()))
        except CollectorSilent as silent:
            writer.left_out.append(str(silent))
    if sources:
        writer.gathered(await gather(sources, access))


def write_archive(writer: ArchiveWriter, out: Path | None) -> int:
    """Write the archive, print what is in it, and return 0. Raises ConfigError where it cannot be written."""
    path = out or Path(f"kubesonar-support-{file_stamp(writer.at)}.tar.gz")
    try:
        size = writer.write(path)
    except OSError as error:
        raise ConfigError(f"--out: {clip(str(path), 120)} cannot be written: {error.strerror or error}") from None
    lines = [f"{path}: {size / 1024:.0f} KiB", *(f"  {line}" for line in writer.inventory())]
    lines += [f"  left out: {why}" for why in writer.left_out]
    sys.stdout.write("\n".join([*lines, f"kubesonar check --from {path} gives the same verdict", ""]))
    return 0

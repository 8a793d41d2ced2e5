"""`kubesonar history`: what was wrong, when, and what was told of it (docs/collector.md)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import AgentAccess
from kubesonar.apps.client.output import Color, console, print_to, write_json
from kubesonar.apps.client.times import day_and_time, utc_stamp
from kubesonar.config import ConfigError
from kubesonar.config.values import convert
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.lab.directory import collector_sockets, default_path
from kubesonar.model import Seconds
from kubesonar.net.clock import SystemClock
from kubesonar.views.answers import history_json
from kubesonar.views.terminal.history import history_view

DAY = "24h"
_LONGEST = 87_600 * 3600.0
"""Most seconds to look back: ten years. More, and the beginning lies before any calendar's; less, and what a collector
may keep cannot be asked for."""


def main(arguments: Sequence[str]) -> int:
    """Print the incidents; return 0, or 2 after wrong usage. Raises ConfigError where no collector answers."""
    return asking.run_parsed(history, arguments, "history")


def history(
    since: Annotated[
        str, typer.Option(metavar="DURATION", help='Incidents that were not over before then: "12h", "30m".')
    ] = DAY,
    collector: asking.CollectorUrl = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the incidents and notices as JSON.")] = False,
    token_file: asking.TokenFile = None,
    ca_file: asking.CaFile = None,
    timeout: asking.Timeout = 2.0,
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
) -> Callable[[], int]:
    """Tell what was wrong, when, and what was told of it: the collector's incidents and notices, the latest last.
    Without --collector the one of the lab that runs on this machine is asked."""
    span = _seconds(since)
    words = since if since[-1:].isalpha() else f"{since} s"
    access = asking.access(token_file, ca_file, timeout, collector=collector or _of_lab())

    def run() -> int:
        now = SystemClock().wall()
        records, notices = asking.run_async(_remembered(access, max(0.0, now - span)))
        if as_json:
            write_json(history_json(records, notices, utc_stamp))
        else:
            print_to(console(color), history_view(records, notices, now, words, day_and_time))
        return 0

    return run


async def _remembered(access: AgentAccess, since: float) -> tuple[list[IncidentRecord], list[NoticeRecord]]:
    """Return the incidents that were not over before `since` (Unix seconds), with all notices about them, and the other
    notices since then; the oldest first."""
    incidents = sorted(await asking.incidents(access, since), key=lambda record: record.opened)
    ids = {record.id for record in incidents}
    begin = min([since, *(record.opened for record in incidents)])
    wanted = [
        record
        for record in await asking.notices(access, begin)
        if record.notice.at >= since or record.notice.incident in ids
    ]
    return incidents, sorted(wanted, key=lambda record: record.notice.at)


def _of_lab() -> str:
    found = collector_sockets(default_path())
    if not found:
        raise ConfigError(
            "no collector was named and no lab with one runs here: give --collector, as http://HOST:PORT or unix:PATH"
        )
    return f"unix:{found[0]}"


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = convert(Seconds, text, text=True)
        if isinstance(value, float | int) and 0 < value <= _LONGEST:
            return float(value)
    raise ConfigError(f'--since: got "{text[:40]}", expected a duration of at most ten years, as "12h" or "30m"')

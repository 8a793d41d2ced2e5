"""`kubesonar lab`: a real mesh on this machine, with faults on demand and a verdict (docs/lab.md).

In: arguments of the command line. Out: a live map or a verdict, and an exit code. Read this file first, then `running`,
which builds and watches the lab, and `mesh`, which says what runs in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from kubesonar.apps.agent.coordinator_collector import MOST_JUDGED
from kubesonar.apps.client import asking
from kubesonar.apps.client.output import Color
from kubesonar.apps.lab import orders
from kubesonar.apps.lab.mesh import Rates
from kubesonar.apps.lab.page_socket import page_socket
from kubesonar.apps.lab.running import LabRequest, run_lab
from kubesonar.compat import ROOMS, acceptance_test
from kubesonar.config import ConfigError
from kubesonar.lab.directory import LabError, default_path
from kubesonar.lab.faults import FaultError, parse
from kubesonar.lab.kernel.isolate import run_isolated
from kubesonar.lab.topology import MAX_COLLECTORS, MAX_NODES, MIN_NODES, plan_lab

_MOST_JUDGED = MOST_JUDGED // 2
"""Most nodes, of two members each, whose coordinator judges."""

_ROOMS = ", ".join(name for name, row in ROOMS.items() if row.acceptance)


def main(arguments: Sequence[str]) -> int:
    """Run the lab, or `lab fault …`. Returns 0 good, 1 bad, 2 unknown or wrong usage. Raises ConfigError."""
    if arguments[:1] == ["fault"]:
        return orders.main(arguments[1:])
    request = asking.parsed(lab, arguments, "lab")
    if isinstance(request, int):
        return request
    try:
        _check(request)
        if request.compat:
            acceptance_test(request.compat)
        with page_socket(wanted=request.judge or request.collectors > 0) as page:
            return run_isolated(partial(run_lab, request, page), user=request.user)
    except (FaultError, LabError) as error:
        raise ConfigError(str(error)) from None


def lab(
    nodes: Annotated[int, typer.Option(min=MIN_NODES, max=MAX_NODES, help="How many nodes, in two zones.")] = 5,
    collectors: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_COLLECTORS,
            help="How many collectors; `kubesonar history` asks the first that runs. Default: 1, with --judge none.",
        ),
    ] = None,
    judge: Annotated[
        bool,
        typer.Option(
            "--judge",
            help=f"Let the elected agent judge in place of a collector; at most {_MOST_JUDGED} nodes.",
        ),
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT", help="Break this at the start; repeatable. `kubesonar lab fault --help` shows what can be."
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Wait for enough observations, at most 15 s (45 at default rates), print, leave."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As --once, and print JSON.")] = False,
    directory: Annotated[Path | None, typer.Option(metavar="PATH", help="Where its sockets and logs are.")] = None,
    user: Annotated[
        bool, typer.Option("--user-namespace", help="Use a user namespace even where privileges would do.")
    ] = False,
    compat: Annotated[
        str,
        typer.Option(
            metavar="ROOM",
            help=f"Open an older tool's room on every node too ({_ROOMS}); --once puts it to that tool's acceptance.",
        ),
    ] = "",
    dns: Annotated[
        bool,
        typer.Option(
            "--dns",
            help="Add a DNS Service as kube-proxy has it, a DNS cache on each node, an upstream. Needs nft.",
        ),
    ] = False,
    rates: Annotated[
        Rates, typer.Option(help="How often agents probe: as a lab does (ten times as often), or as in production.")
    ] = Rates.LAB,
    color: Annotated[Color, typer.Option(help="Colours; auto heeds NO_COLOR.")] = Color.AUTO,
) -> LabRequest:
    """Run a real mesh on this machine in network namespaces: live map and verdict until Ctrl-C. Touches nothing outside
    and leaves nothing behind. Exit code: 0 good, 1 bad, 2 unknown."""
    return LabRequest(
        nodes=nodes,
        collectors=int(not judge) if collectors is None else collectors,
        judge=judge,
        faults=tuple(fault or ()),
        once=once or as_json,
        as_json=as_json,
        directory=(directory or default_path()).absolute(),
        user=user,
        compat=compat,
        dns=dns,
        rates=rates,
        color=color,
    )


def _check(request: LabRequest) -> None:
    """Refuse what does not go together, or a bad fault, before anything starts. Raises ConfigError and FaultError."""
    if request.judge and request.collectors:
        raise ConfigError(f"--judge: expected no --collectors, got {request.collectors}: a collector judges by itself")
    if request.judge and request.nodes > _MOST_JUDGED:
        raise ConfigError(f"--judge: expected --nodes up to {_MOST_JUDGED}, got {request.nodes}: more need a collector")
    for text in request.faults:
        parse(text, plan_lab(request.nodes, collectors=request.collectors, dns=request.dns))

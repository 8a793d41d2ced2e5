"""What a view of the page weighs, and what CPU it costs the collector: of meshes of 5 to 1,000 nodes.

Each view is asked for over the page's own routes, with what a collector does for it: who reaches whom is made anew from
the agents' snapshots, and handed from the process that judges to the one that answers. Writes bench/results/page.md.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from kubesonar.api.documents import API_SCHEMA, MatrixDocument
from kubesonar.api.page import page_routes
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.encoding import encode_json
from kubesonar.model import Kind, Roster, Snapshot, Window
from kubesonar.views.matrix import matrices
from kubesonar.web import Anonymous, Request, Router
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource

RESULTS = Path(__file__).parent / "results/page.md"
ROUNDS = 3
RARE = dict.fromkeys((Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU, Kind.DNS), 5.0)
VIEWS = ("/now", "/map", "/map?zone=a", "/incidents/{id}", "/timeline", "/nodes", "/nodes/node-2", "/dns", "/targets")
MAPS = ("/map", "/map?zone=a", "/nodes", "/nodes/node-2")
"""The views for which it is worked out who reaches whom."""


def cut_off(mesh: Mesh) -> Mesh:
    """Cut off a node."""
    return mesh.cut("node-2")


def lossy(mesh: Mesh) -> Mesh:
    """Lose 5 % everywhere, so that no pair of nodes is well."""
    return mesh.drop("*", "*", 0.05)


MESHES: tuple[tuple[int, int, str, Callable[[Mesh], Mesh], tuple[str, ...]], ...] = (
    (5, 0, "a node cut off", cut_off, VIEWS),
    (60, 10, "a node cut off", cut_off, VIEWS),
    (100, 10, "a node cut off", cut_off, VIEWS),
    (100, 10, "5 % lost everywhere", lossy, MAPS),
    (300, 10, "a node cut off", cut_off, VIEWS),
    (1000, 10, "a node cut off", cut_off, VIEWS),
)
"""Nodes, how many neighbours each node probes (0: all), what is wrong and the views that are asked for."""


class Collecting(MeshSource):
    """Makes the matrix as a collector's two processes do: from snapshots without sums, and over JSON."""

    def __init__(self, mesh: Mesh) -> None:
        super().__init__(mesh, silent="node-2")
        rosters: dict[str, Roster] = {}
        self._mirrored = [mirrored(snapshot, rosters) for snapshot in self.read.values()]

    async def matrix(self) -> MatrixDocument | None:
        found = basis(self._mirrored, self.unread, self.at)
        body = encode_json(MatrixDocument(API_SCHEMA, self.at, matrices(found)))
        return msgspec.json.decode(body, type=MatrixDocument)


def mirrored(snapshot: Snapshot, rosters: dict[str, Roster]) -> Snapshot:
    """Return a snapshot as a collector has it: without sums over the short window, and with a roster that all agents
    share who have the same."""
    edges = [msgspec.structs.replace(edge, short=Window(edge.short.span)) for edge in snapshot.edges]
    roster = rosters.setdefault(snapshot.roster.revision, snapshot.roster)
    return msgspec.structs.replace(snapshot, edges=tuple(edges), roster=roster)


def asked(source: MeshSource, target: str) -> tuple[float, bytes]:
    """CPU seconds and the body of one reply, to the first who looks."""
    path, _, query = target.partition("?")
    request = Request(path=path, raw_path=path.encode(), query_string=query.encode())

    async def reply() -> tuple[float, bytes]:
        router = Router(page_routes(source, Anonymous(), UTC), Anonymous())
        await router(Request(path="/targets", raw_path=b"/targets"))  # templates are read once in a collector's life
        began = time.process_time()
        answered = await router(request)
        assert answered.status == 200 and isinstance(answered.body, bytes), target
        return time.process_time() - began, answered.body

    return asyncio.run(reply())


def rows(nodes: int, neighbours: int, wrong: str, broken: Callable[[Mesh], Mesh], views: tuple[str, ...]) -> list[str]:
    """A line of the table for each view."""
    source = Collecting(broken(Mesh(nodes=nodes, neighbours=neighbours, period=RARE)))
    identity = next((record.id for record in source.incidents()), "")
    gc.collect()
    gc.freeze()  # as in a collector, whose judging process collects no garbage while it works something out
    lines = []
    for view in views:
        rounds = [asked(source, view.format(id=identity)) for _ in range(ROUNDS)]
        body = rounds[0][1]
        spent = 1000 * median(cpu for cpu, _ in rounds)
        small = len(gzip.compress(body, 1))
        lines.append(f"| {nodes} | {wrong} | {view} | {len(body) / 1000:.1f} | {small / 1000:.1f} | {spent:.0f} |")
        print(lines[-1], flush=True)
    gc.unfreeze()
    return lines


def main() -> None:
    """Measure and write the page."""
    table = [line for mesh in MESHES for line in rows(*mesh)]
    RESULTS.write_text(
        "\n".join(
            [
                "# What a view of the page weighs",
                "",
                "Kilobytes of HTML, the same compressed (gzip, as browsers take it), and milliseconds of CPU of both",
                f"processes of a collector for the first who looks; median of {ROUNDS} rounds. Who looks at a map in",
                "the same second shares who reaches whom, nearly all of its CPU. Pairs of nodes that are well are told",
                "without a closer look, so what is sick costs more. Made by `scripts/bench page`.",
                "",
                f"Python {platform.python_version()}, two agents a node.",
                "",
                "| nodes | wrong | view | kB | kB compressed | CPU ms |",
                "|---|---|---|---|---|---|",
                *table,
                "",
            ]
        )
    )


if __name__ == "__main__":
    main()

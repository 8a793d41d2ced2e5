"""What a view of the page weighs, and what CPU it costs the collector: of meshes of 5 to 100 nodes with a sick one.

Each view is asked for over the page's own routes, with what a collector does for it: who reaches whom is made anew from
the agents' snapshots. Writes bench/results/page.md.
"""

from __future__ import annotations

import asyncio
import gzip
import platform
import time
from pathlib import Path
from statistics import median

from kubesonar.api.documents import API_SCHEMA, MatrixDocument
from kubesonar.api.page import page_routes
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.telemetry.reports.mirror import summed
from kubesonar.model import Kind
from kubesonar.views.matrix import matrices
from kubesonar.web import Anonymous, Request, Router
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource

RESULTS = Path(__file__).parent / "results/page.md"
ROUNDS = 3
NODES = {5: 0, 60: 10, 100: 10}
"""Numbers of nodes, and how many neighbours each node probes (0: all)."""
RARE = dict.fromkeys((Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU, Kind.DNS), 5.0)
VIEWS = ("/now", "/map", "/map?zone=a", "/incidents/{id}", "/timeline", "/nodes", "/nodes/node-2", "/dns", "/targets")


class Collecting(MeshSource):
    """Makes the matrix as a collector does: from snapshots, with the sums over their windows."""

    async def matrix(self) -> MatrixDocument | None:
        snapshots = [summed(snapshot) for snapshot in self.read.values()]
        found = basis(snapshots, self.unread, self.at)
        return MatrixDocument(API_SCHEMA, self.at, matrices(found))


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


def rows(nodes: int) -> list[str]:
    """A line of the table for each view."""
    mesh = Mesh(nodes=nodes, neighbours=NODES[nodes], period=RARE)
    source = Collecting(mesh.cut("node-2"), silent="node-2")
    (record, *_) = source.incidents()
    lines = []
    for view in VIEWS:
        rounds = [asked(source, view.format(id=record.id)) for _ in range(ROUNDS)]
        body = rounds[0][1]
        spent = 1000 * median(cpu for cpu, _ in rounds)
        small = len(gzip.compress(body, 1))
        lines.append(f"| {nodes} | {view} | {len(body) / 1000:.1f} | {small / 1000:.1f} | {spent:.0f} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure and write the page."""
    table = [line for nodes in NODES for line in rows(nodes)]
    RESULTS.write_text(
        "\n".join(
            [
                "# What a view of the page weighs",
                "",
                "Kilobytes of HTML, the same compressed (gzip, as browsers take it), and milliseconds of CPU for the",
                f"first who looks; median of {ROUNDS} rounds. Who looks within the same second shares who reaches",
                "whom, nearly all of the CPU of maps and nodes. A node is cut off. Made by `scripts/bench page`.",
                "",
                f"Python {platform.python_version()}, two agents a node.",
                "",
                "| nodes | view | kB | kB compressed | CPU ms |",
                "|---|---|---|---|---|",
                *table,
                "",
            ]
        )
    )


if __name__ == "__main__":
    main()

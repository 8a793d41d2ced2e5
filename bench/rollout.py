"""Fifteen agents rolled to another wire version and key, one by one, and back: no finding may come of it.

`python -m bench.rollout [AGENTS]` writes bench/results/rollout.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.scenarios.rolling_mesh import RollingMesh

RESULT = Path(__file__).with_name("results") / "rollout.md"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder, RollingMesh(Path(folder), count, version=2) as mesh:
        start = time.monotonic()
        for version in (3, 2):
            mesh.roll(version)
            mesh.watch(5.0)
        seconds = time.monotonic() - start
        found = Counter(f"{finding.part} {finding.subject}: {finding.sentence}" for finding in mesh.findings)
        lines = [
            "# A rollout and its way back",
            "",
            f"`python -m bench.rollout`: {count} agents on loopback, each restarted from wire version 2 and its key "
            f"to 3 and back, in {seconds:.0f} s; {mesh.looks} verdicts, {found.total()} findings.",
            "",
            *(f"- {times} times: {what}" for what, times in found.most_common()),
        ]
    text = "\n".join(lines).rstrip() + "\n"
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

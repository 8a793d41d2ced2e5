"""Which agent knows which keys, at a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from kubesonar.core.telemetry.key_agreement import AgentKeys, KeyAgreement
from kubesonar.views.terminal.keys import key_agreement_view


def test_a_row_for_each_agent_without_what_could_hide_another() -> None:
    agents = (
        AgentKeys("node-1-pod", "node-1", (1, 2), 2),
        AgentKeys("evil\x1b[2J\u202e", "[red]", (0,), 0),
        AgentKeys("old", "node-3", (), None),
    )
    out = Console(file=io.StringIO(), width=100)
    out.print(key_agreement_view(KeyAgreement(False, "no", agents, {"gone": "timed out"})))
    assert isinstance(out.file, io.StringIO)
    assert [line.rstrip() for line in out.file.getvalue().splitlines()] == [
        "no",
        "",
        "agent       node    knows          signs with",
        "node-1-pod  node-1  1, 2           2",
        "evil [2J    [red]   none",
        "old         node-3  does not tell",
        "gone                timed out",
    ]

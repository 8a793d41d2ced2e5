"""Shows which agent knows which keys, at a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kubesonar.core.telemetry.key_agreement import KeyAgreement
from kubesonar.model import clip

_NAME = 80
_REASON = 120


def key_agreement_view(agreement: KeyAgreement) -> RenderableType:
    """Render the sentence, and a row for each agent."""
    style = "bold green" if agreement.agreed else "bold red"
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("agent", "node", "knows", "signs with"):
        table.add_column(heading, no_wrap=True)
    for agent in agreement.agents:
        knows = ", ".join("none" if id == 0 else str(id) for id in agent.knows) or "does not tell"
        signs = str(agent.signs) if agent.signs else ""
        table.add_row(*(Text(clip(word, _NAME)) for word in (agent.member, agent.node, knows, signs)))
    for name, reason in sorted(agreement.unread.items()):
        table.add_row(Text(clip(name, _NAME)), "", Text(clip(reason, _REASON), "yellow"), "")
    return Group(Text(clip(agreement.sentence, 1000), style), Text(""), table)

"""Scores as a table, pooled by row and size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from bench.diagnosis.scoring import DUE, Score

_POISSON_UPPER = 3.0
"""Upper bound (95 %) of the mean where nothing was counted: -ln 0.05."""


def table(scores: Iterable[Score]) -> str:
    """A table in Markdown, a line for each row, size and judge."""
    groups: dict[tuple[str, int, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.row, score.shape.nodes, score.judge), []).append(score)
    shown = [due for due in DUE if due in (10, 20, 60, 600)]
    head = ["row", "nodes", "judge", "runs", *(f"right at {due} s" for due in shown)]
    head += ["first right (s)", "runs with a wrong sentence", "silent after (s)", "flips a run"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (row, nodes, judge), group in groups.items():
        cells = [row, str(nodes), judge, str(len(group))]
        cells += [_share([s.right_at[due] for s in group if due in s.right_at]) for due in shown]
        cells.append(_middle([s.first_right for s in group]))
        cells.append(_share([s.wrong > 0 for s in group]))
        cells.append(_middle([s.silence for s in group]))
        cells.append(f"{sum(s.flips for s in group) / len(group):.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(scores: Iterable[Score]) -> str:
    """What was not right at the end of the fault, or wrong on the way, with the seeds."""
    lines = []
    for score in scores:
        at_last = list(score.right_at.values())[-1:] == [True]
        if not at_last or score.wrong:
            lines.append(
                f"- `{score.row}` nodes {score.shape.nodes} seed {score.seed}: expected {'; '.join(score.truth)}"
            )
            if not at_last:
                lines.append(f"  - at last: {'; '.join(score.instead) or 'nothing'}")
            lines += [f"  - wrong {wrong}" for wrong in score.wrongs]
    return "\n".join(lines)


def _share(values: Sequence[bool]) -> str:
    return f"{100 * sum(values) / len(values):.0f} %" if values else "-"


def _middle(values: Sequence[float | None]) -> str:
    """The median and the worst; "never" counts as the longest."""
    if not values:
        return "-"
    ranked = sorted(float("inf") if value is None else value for value in values)
    return f"{_number(median(ranked))} (worst {_number(ranked[-1])})"


def _number(value: float) -> str:
    return "never" if value == float("inf") else f"{value:.0f}"

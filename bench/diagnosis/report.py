"""Scores as tables in Markdown: by class, by row, and how often an alarm is false."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from math import exp, sqrt
from statistics import median
from typing import TypeVar

from bench.diagnosis.goals import goal_of
from bench.diagnosis.rows import parse
from bench.diagnosis.scoring import Score

_MONTH = 30 * 86_400.0
_SHOWN = (10, 20, 60, 600)
_Key = TypeVar("_Key", bound=Hashable)


def by_class(scores: Iterable[Score]) -> str:
    """A line for each class of rows, size and judge, beside what is to be reached."""
    groups = _grouped(
        [score for score in scores if score.truth],
        lambda score: (goal_of(parse(score.row)), score.shape.nodes, score.judge),
    )
    lines = [
        "class|nodes|judge|runs|right|to reach|runs with a wrong sentence|first right (s)|silent after (s)|flips a run"
        "|packets, cluster|packets, worst node"
    ]
    for (goal, nodes, judge), group in groups.items():
        if goal is None:
            continue
        reached = _share([goal.met(score) for score in group])
        wanted = f"{100 * goal.share:.0f} % by {goal.due} s"
        lines.append(
            "|".join(
                [goal.name, str(nodes), judge, str(len(group)), reached, wanted, *_manners(group), *_packets(group)]
            )
        )
    return _markdown(lines)


def by_row(scores: Iterable[Score]) -> str:
    """A line for each row, size and judge."""
    groups = _grouped(
        [score for score in scores if score.truth], lambda score: (score.row, score.shape.nodes, score.judge)
    )
    dues = "|".join(f"right at {due} s" for due in _SHOWN)
    lines = [
        f"row|nodes|judge|runs|{dues}|runs with a wrong sentence|first right (s)|silent after (s)|flips a run|covered"
    ]
    for (row, nodes, judge), group in groups.items():
        cells = [row, str(nodes), judge, str(len(group))]
        cells += [_share([score.right_at[due] for score in group if due in score.right_at]) for due in _SHOWN]
        part = next((part for part in ("zone_pair", "pair") if row.startswith(part)), "node")
        covered = sum(score.coverage.get(part, 0.0) for score in group) / len(group)
        lines.append("|".join([*cells, *_manners(group), f"{100 * covered:.0f} %"]))
    return _markdown(lines)


def false_alarms(scores: Iterable[Score]) -> str:
    """A line for each row without a fault, size and judge: how often something was found nevertheless."""
    groups = _grouped(
        [score for score in scores if not score.truth],
        lambda score: (score.row, score.shape.nodes, _usual(score), score.judge),
    )
    lines = ["row|nodes|usual there|judge|verdicts|hours|false alarms|a cluster and month|at most (95 %)"]
    for (row, nodes, usual, judge), group in groups.items():
        alarms, span = sum(score.alarms for score in group), sum(score.span for score in group)
        rate, most = alarms * _MONTH / span, upper(alarms) * _MONTH / span
        asked = sum(score.seconds for score in group)
        figures = [f"{span / 3600:.1f}", str(alarms), f"{rate:.0f}", f"{most:.0f}"]
        lines.append("|".join([row, str(nodes), usual, judge, f"{asked:,}", *figures]))
    return _markdown(lines)


def _usual(score: Score) -> str:
    shape = score.shape
    words = [f"{100 * shape.background:g} % loss", *(["bursts"] if shape.bursts else [])]
    words += [f"{100 * shape.starved:g} % starved"] if shape.starved else []
    return ", ".join(words + ([f"rosters lag {shape.lag:g} s"] if shape.lag else []))


def failures(scores: Iterable[Score]) -> str:
    """What was not right when it was due, or wrong on the way, with the seeds."""
    lines = []
    for score in scores:
        goal = goal_of(parse(score.row))
        late = goal is not None and not goal.met(score)
        if late or score.wrong:
            background = f" background {score.shape.background:g}" if score.shape.background else ""
            head = f"- `{score.row}` nodes {score.shape.nodes} seed {score.seed}{background}"
            lines.append(f"{head}: expected {'; '.join(score.truth) or 'nothing'}; first right {score.first_right}")
            if score.instead:
                lines.append(f"  - at last: {'; '.join(score.instead)}")
            lines += [f"  - wrong {wrong}" for wrong in score.wrongs]
    return "\n".join(lines)


def upper(count: int) -> float:
    """The upper bound (95 %, one-sided) of the mean of a Poisson variable of which `count` was seen."""
    low, high = float(count), count + 10.0 + 4.0 * sqrt(count)
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, middle) > 0.05 else (low, middle)
    return high


def _at_most(count: int, mean: float) -> float:
    term = total = exp(-mean)
    for number in range(1, count + 1):
        term *= mean / number
        total += term
    return total


def _manners(group: Sequence[Score]) -> list[str]:
    return [
        _share([score.wrong > 0 for score in group]),
        _middle([score.first_right for score in group]),
        _middle([score.silence for score in group]),
        f"{sum(score.flips for score in group) / len(group):.1f}",
    ]


def _packets(group: Sequence[Score]) -> list[str]:
    """The median over the runs, and the worst run."""
    cluster = median(score.cluster_packets for score in group)
    return [f"x {cluster:.2f}", f"x {max(score.node_packets for score in group):.1f}"]


def _grouped(scores: Iterable[Score], key: Callable[[Score], _Key]) -> dict[_Key, list[Score]]:
    groups: dict[_Key, list[Score]] = {}
    for score in scores:
        groups.setdefault(key(score), []).append(score)
    return groups


def _markdown(lines: Sequence[str]) -> str:
    head, *rest = lines
    if not rest:
        return "(none)"
    return "\n".join(f"| {line.replace('|', ' | ')} |" for line in (head, "|".join("-" * len(head.split("|"))), *rest))


def _share(values: Sequence[bool]) -> str:
    return f"{100 * sum(values) / len(values):.0f} %" if values else "-"


def _middle(values: Sequence[float | None]) -> str:
    """The median and the worst; "never" counts as the longest."""
    ranked = sorted(float("inf") if value is None else value for value in values)
    return f"{_number(median(ranked))} (worst {_number(ranked[-1])})"


def _number(value: float) -> str:
    return "never" if value == float("inf") else f"{value:.0f}"

"""Metric families as text, as the older tool wrote them: bounds as Go writes numbers, metadata only where asked for.

views/metrics/exposition.py writes the same format with metadata always and bounds as "1.0"; a query that matches on
`le` would find nothing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from kubesonar.compat.kubenurse.metrics.vmrange import RangeHistograms
from kubesonar.core.telemetry.instruments import Histograms, Labels
from kubesonar.views.metrics.exposition import label_set

Values = Mapping[Labels, float] | Histograms | RangeHistograms


class GoExposition:
    """Renders families one by one, and caches the constant part of each histogram's lines, at most twice as many as
    were rendered last."""

    def __init__(self, *, metadata: bool) -> None:
        self._metadata = metadata
        self._templates: dict[tuple[str, Labels], str] = {}
        self._lines: list[str] = []
        self._used = 0

    def family(self, name: str, kind: str, labels: tuple[str, ...], values: Values, *fixed: str) -> None:
        """Add a family; one without values adds no line. `fixed` are further labels, as written."""
        if isinstance(values, Histograms):
            lines = [self._template(name, labels, key, values) % _cells(tally.counts, tally.total)
                     for key, tally in values.series.items()]  # fmt: skip
        elif isinstance(values, RangeHistograms):
            kind = "untyped"
            lines = list(_ranges(name, labels, values))
        else:
            lines = [f"{name}{label_set(labels, key, *fixed)} {go_number(value)}\n" for key, value in values.items()]
        if lines and self._metadata:
            self._lines.append(f"# HELP {name}\n# TYPE {name} {kind}\n")
        self._lines += lines

    def take(self) -> bytes:
        """Return the text of all families added since the last call."""
        text, self._lines = "".join(self._lines), []
        if len(self._templates) > 2 * self._used + 64:
            self._templates.clear()
        self._used = 0
        return text.encode()

    def _template(self, name: str, labels: tuple[str, ...], key: Labels, values: Histograms) -> str:
        self._used += 1
        template = self._templates.get((name, key))
        if template is None:
            bounds = [*map(go_number, values.bounds), "+Inf"]
            lines = [name + "_bucket" + label_set((*labels, "le"), (*key, bound)) for bound in bounds]
            lines += [f"{name}_{part}{label_set(labels, key)}" for part in ("sum", "count")]
            template = "".join(line.replace("%", "%%") + " %s\n" for line in lines)
            self._templates[name, key] = template
        return template


def go_number(value: float) -> str:
    """Return whole numbers without a point, and others in the fewest digits that read back as the same number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _cells(counts: list[int], total: float) -> tuple[object, ...]:
    cumulative = list(accumulate(counts))
    return (*cumulative, go_number(total), cumulative[-1])


def _ranges(name: str, labels: tuple[str, ...], values: RangeHistograms) -> list[str]:
    lines = []
    for key, tally in values.series.items():
        for label, count in tally.ranges():
            braces = label_set((*labels, "vmrange"), (*key, label))
            lines.append(f"{name}_bucket{braces} {count}\n")
        plain = label_set(labels, key)
        lines.append(f"{name}_sum{plain} {go_number(tally.total)}\n")
        lines.append(f"{name}_count{plain} {sum(tally.counts.values())}\n")
    return lines

"""Metric families as text: Prometheus text format 0.0.4
(https://prometheus.io/docs/instrumenting/exposition_formats/) and OpenMetrics 1.0
(https://prometheus.io/docs/specs/om/open_metrics_spec/)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import inf, isfinite, isnan
from typing import Literal

import msgspec

from kubesonar.core.telemetry.instruments import Histogram, Histograms, Labels

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Metric(msgspec.Struct, frozen=True):
    """One row of a metric table. `name` is that of the samples: a counter's ends in _total, an info's in _info; with a
    `unit`, the name before _total ends in it."""

    name: str
    type: Literal["counter", "gauge", "histogram", "info"]
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def family(self) -> str:
        """The family's name in OpenMetrics, without the suffix of its type."""
        return self.name.removesuffix("_total").removesuffix("_info")


Series = Mapping[Labels, float] | Histograms
"""Values of a family by label set: numbers or histograms."""


class Exposition:
    """Renders families and caches the constant part of each line, at most twice as many lines as were rendered last."""

    def __init__(self) -> None:
        self._templates: dict[tuple[str, Labels], str] = {}

    def render(self, families: Iterable[tuple[Metric, Series]], *, openmetrics: bool = False) -> bytes:
        """Return the families that have values, in the order given. Each metric may come once."""
        parts: list[str] = []
        used = 0
        for metric, series in families:
            lines = self._histograms(metric, series) if isinstance(series, Histograms) else self._plain(metric, series)
            if lines:
                parts.append(_head(metric, openmetrics))
                parts += lines
                used += len(lines)
        if len(self._templates) > 2 * used + 64:
            self._templates.clear()
        if openmetrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()

    def _plain(self, metric: Metric, series: Mapping[Labels, float]) -> list[str]:
        templates, name = self._templates, metric.name
        lines = []
        for labels, value in series.items():
            template = templates.get((name, labels))
            if template is None:
                template = templates[name, labels] = f"{name}{label_set(metric.labels, labels)} "
            lines.append(f"{template}{value if type(value) is int else number(value)}\n")
        return lines

    def _histograms(self, metric: Metric, histograms: Histograms) -> list[str]:
        templates, name = self._templates, metric.name
        lines = []
        for labels, tally in histograms.series.items():
            template = templates.get((name, labels))
            if template is None:
                template = templates[name, labels] = _histogram_template(metric, labels, histograms.bounds)
            lines.append(template % _histogram_values(tally))
        return lines


def metric_table(metrics: Iterable[Metric]) -> str:
    """Return a table of metrics as Markdown, for docs/metrics.md."""
    lines = ["| metric | type | labels | unit | meaning |", "|---|---|---|---|---|"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.unit} | {metric.help} |")
    return "\n".join(lines) + "\n"


def accepts_openmetrics(accept: str) -> bool:
    """Whether an Accept header (RFC 9110, section 12.5.1) gives OpenMetrics at least the weight of plain text."""
    best = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for item in accept.lower().split(",")[:32]:
        kind, *parameters = (word.strip() for word in item.split(";"))
        if kind in best:
            best[kind] = max(best[kind], _quality(parameters))
    return best["application/openmetrics-text"] > 0 and best["application/openmetrics-text"] >= best["text/plain"]


def number(value: float) -> str:
    """Return a sample's value as both formats write it."""
    if isfinite(value):
        return repr(value)
    return "NaN" if isnan(value) else "+Inf" if value == inf else "-Inf"


def _quality(parameters: list[str]) -> float:
    said = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    digits = said.replace(".", "", 1)
    return float(said) if digits.isdecimal() and digits.isascii() else 0.0


def _head(metric: Metric, openmetrics: bool) -> str:
    name = metric.family if openmetrics else metric.name
    kind = "gauge" if metric.type == "info" and not openmetrics else metric.type
    text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    unit = f"# UNIT {name} {metric.unit}\n" if openmetrics and metric.unit else ""
    return f"# HELP {name} {_escaped(metric.help) if openmetrics else text}\n# TYPE {name} {kind}\n{unit}"


def label_set(names: tuple[str, ...], values: Labels, *more: str) -> str:
    """Return labels as both formats write them, in braces; `more` are further ones, as written. Empty without
    labels."""
    pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]
    inner = ",".join([*pairs, *more])
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _histogram_template(metric: Metric, labels: Labels, bounds: tuple[float, ...]) -> str:
    buckets = [label_set(metric.labels, labels, f'le="{number(float(bound))}"') for bound in (*bounds, inf)]
    plain = label_set(metric.labels, labels)
    lines = [f"{metric.name}_bucket{bucket}" for bucket in buckets]
    lines += [f"{metric.name}_count{plain}", f"{metric.name}_sum{plain}"]
    return "".join(line.replace("%", "%%") + " %s\n" for line in lines)


def _histogram_values(tally: Histogram) -> tuple[object, ...]:
    cumulative = list(accumulate(tally.counts))
    return (*cumulative, cumulative[-1], number(tally.total))

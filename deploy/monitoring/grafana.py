"""As much of Grafana's dashboard model as our dashboards need
(https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA = 36
"""Of Grafana 9; newer ones read it and bring it up to date."""
_COLUMNS = 24

Kind = Literal["stat", "timeseries", "table", "heatmap", "status-history", "row"]
Unit = Literal["none", "short", "s", "percentunit", "bytes", "reqps"]


class Query(msgspec.Struct, frozen=True):
    """One expression. `legend` names its series, by Grafana's {{label}}."""

    expr: str
    legend: str = ""


class Panel(msgspec.Struct, frozen=True):
    """A panel, or a row's heading. `width` is in 24ths of the page, `height` in Grafana's units. `steps` are thresholds
    as (from, colour), the first from the bottom. `words` are what to show instead of a number. `matrix` names the
    labels of a table's rows and columns."""

    kind: Kind
    title: str
    queries: tuple[Query, ...] = ()
    help: str = ""
    width: int = 8
    height: int = 8
    unit: Unit = "short"
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    words: tuple[tuple[float, str], ...] = ()
    matrix: tuple[str, str] = ("", "")
    stacked: bool = False


class Variable(msgspec.Struct, frozen=True):
    """A choice at the top of the page: the values of a label of a metric, all of them unless chosen otherwise."""

    name: str
    metric: str


class Dashboard(msgspec.Struct, frozen=True):
    """A dashboard; its `uid` keeps its address when it is imported anew."""

    uid: str
    title: str
    help: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]

    def json(self) -> dict[str, Any]:
        """What Grafana imports."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.help,
            "tags": ["kubesonar"],
            "schemaVersion": _SCHEMA,
            "version": 1,
            "editable": True,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "templating": {"list": [_DATASOURCE_VARIABLE, *(_variable(one) for one in self.variables)]},
            "panels": list(_laid_out(self.panels)),
        }


_DATASOURCE_VARIABLE = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _variable(variable: Variable) -> dict[str, Any]:
    """All is ".*", not the list of values: series without that label are meant too."""
    query = f"label_values({variable.metric}, {variable.name})"
    return {
        "name": variable.name,
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": variable.name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def _laid_out(panels: tuple[Panel, ...]) -> Iterator[dict[str, Any]]:
    """The panels from left to right, a row after the other."""
    x = y = tallest = 0
    for number, panel in enumerate(panels, start=1):
        if panel.kind == "row" or x + panel.width > _COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        width, height = (_COLUMNS, 1) if panel.kind == "row" else (panel.width, panel.height)
        place = {"x": x, "y": y, "w": width, "h": height}
        yield {"id": number, "type": panel.kind, "title": panel.title, "gridPos": place, **_inside(panel)}
        x, tallest = x + width, max(tallest, height)


def _inside(panel: Panel) -> dict[str, Any]:
    if panel.kind == "row":
        return {"collapsed": False, "panels": []}
    inside = {
        "description": panel.help,
        "datasource": _DATASOURCE,
        "targets": [_target(panel, number, query) for number, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS.get(panel.kind, {}),
    }
    if panel.kind == "table":
        inside["transformations"] = _transformations(panel)
    return inside


def _target(panel: Panel, number: int, query: Query) -> dict[str, Any]:
    now = panel.kind in ("stat", "table")
    formats = {"table": "table", "heatmap": "heatmap"}
    return {
        "refId": chr(ord("A") + number),
        "datasource": _DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": now,
        "range": not now,
        "format": formats.get(panel.kind, "time_series"),
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": colour, "value": value} for value, colour in panel.steps]
    words = {str(value): {"text": text, "index": index} for index, (value, text) in enumerate(panel.words)}
    custom: dict[str, Any] = {}
    if panel.kind == "timeseries":
        custom = {"fillOpacity": 10, "showPoints": "never", "stacking": {"mode": "normal" if panel.stacked else "none"}}
    if panel.kind == "table":
        custom = {"displayMode": "color-background-solid"}
    return {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [{"type": "value", "options": words}] if words else [],
        "custom": custom,
        "noValue": "no data",
    }


_OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {"colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}},
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "heatmap": {"calculate": False, "color": {"scheme": "Oranges", "mode": "scheme"}, "yAxis": {"unit": "s"}},
    "status-history": {"showValue": "auto", "legend": {"showLegend": False}},
}


def _transformations(panel: Panel) -> list[dict[str, Any]]:
    rows, columns = panel.matrix
    if not rows:
        return [{"id": "organize", "options": {"excludeByName": {"Time": True, "__name__": True}}}]
    fields = {"rowField": rows, "columnField": columns, "valueField": "Value"}
    return [{"id": "groupingToMatrix", "options": fields}]

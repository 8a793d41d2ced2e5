"""A dashboard of kubenurse's metrics, for those who come from there: kubenurse, or what serves in its place."""

from __future__ import annotations

from deploy.monitoring.grafana import Dashboard, Panel, Query, Variable

_ALL = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job", type=~"$type"'
_NEIGHBOURS = 'type=~"path_.*"'
_OWN = 'type!~"path_.*"'


def _of(metric: str, labels: str = "") -> str:
    return f"{metric}{{{_ALL}{', ' if labels else ''}{labels}}}"


def _rate(metric: str, labels: str = "") -> str:
    return f"rate({_of(metric, labels)}[$__rate_interval])"


def _quantile(share: float, metric: str, by: str, labels: str = "") -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) ({_rate(f'{metric}_bucket', labels)}))"


_TRACE = "kubenurse_httpclient_trace_request_duration_seconds"
_REQUEST = "kubenurse_httpclient_request_duration_seconds"
_INCOMING = 'kubenurse_neighbourhood_incoming_checks{cluster=~"$cluster", namespace=~"$namespace", job=~"$job"}'

DASHBOARD = Dashboard(
    uid="kubesonar-kubenurse",
    title="kubenurse",
    help="Checks of kubenurse, or of kubesonar in its place: errors, latency and its phases, neighbours.",
    variables=(
        *(Variable(name, "kubenurse_httpclient_requests_total") for name in ("cluster", "namespace", "job")),
        Variable("type", "kubenurse_httpclient_requests_total"),
    ),
    panels=(
        Panel("row", "Errors"),
        Panel(
            "stat",
            "Share of failed checks",
            (
                Query(
                    f"(sum({_rate('kubenurse_errors_total')}) or vector(0)) "
                    f"/ sum({_rate('kubenurse_httpclient_requests_total')})"
                ),
            ),
            "Errors have no series before the first one.",
            width=6,
            unit="percentunit",
            steps=((None, "green"), (0.001, "yellow"), (0.05, "red")),
        ),
        Panel(
            "timeseries",
            "Errors by type",
            (Query(f"sum by (type) ({_rate('kubenurse_errors_total')})", "{{type}}"),),
            width=9,
            unit="reqps",
        ),
        Panel(
            "timeseries",
            "Errors by phase or status",
            (Query(f"sum by (event) ({_rate('kubenurse_errors_total')})", "{{event}}"),),
            width=9,
            unit="reqps",
        ),
        Panel("row", "Latency"),
        Panel(
            "timeseries",
            "API server, ingress, service, p99",
            (Query(_quantile(0.99, _REQUEST, "type", _OWN), "{{type}}"),),
            unit="s",
        ),
        Panel(
            "timeseries",
            "Neighbours by node, p99",
            (Query(_quantile(0.99, _REQUEST, "type", _NEIGHBOURS), "{{type}}"),),
            unit="s",
        ),
        Panel(
            "heatmap",
            "All checks",
            (Query(f"sum by (le) (increase({_of(f'{_REQUEST}_bucket')}[$__rate_interval]))", "{{le}}"),),
            unit="s",
        ),
        Panel(
            "timeseries",
            "Until each phase, p95",
            (Query(_quantile(0.95, _TRACE, "event"), "{{event}}"),),
            "Seconds from the start of the request to the event.",
            width=12,
            unit="s",
        ),
        Panel(
            "timeseries",
            "All checks, in the metric of kubenurse up to 1.12",
            (Query(_quantile(0.99, "kubenurse_request_duration", "type"), "{{type}}"),),
            width=12,
            unit="s",
        ),
        Panel("row", "Neighbours and requests"),
        Panel("timeseries", "Neighbours that check each pod", (Query(_INCOMING, "{{pod}}"),), width=12),
        Panel(
            "timeseries",
            "Requests by status",
            (Query(f"sum by (code) ({_rate('kubenurse_httpclient_requests_total')})", "{{code}}"),),
            width=12,
            unit="reqps",
            stacked=True,
        ),
    ),
)

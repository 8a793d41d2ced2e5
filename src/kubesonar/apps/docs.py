"""The pages of docs/ that are made from the code: `python -m kubesonar.apps.docs docs` (scripts/docs)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.config import describe, markdown
from kubesonar.views.metrics.agent import reference
from kubesonar.views.metrics.collector import COLLECTOR_METRICS
from kubesonar.views.metrics.exposition import metric_table

_CONFIGURATION = """# Configuration of the agent

Made from the code by `scripts/docs`; do not edit.

Four sources, in rising priority: the defaults, a YAML file (`--config FILE` or `KUBESONAR_CONFIG`), environment
variables, flags (`--section.field VALUE` or `--section.field=VALUE`; the flag of a key is the key behind two dashes).
Durations are seconds or text such as `250ms`, `5s`, `2m`, `1h`. A list is repeated flags, or YAML or JSON text. An
unknown key or a bad value ends the program with exit code 2 and one sentence. `kubesonar config show` prints what is in
force and where each value comes from.

"""

_COLLECTOR = """# Configuration of the collector

Made from the code by `scripts/docs`; do not edit. The sources and their priority are those of [the agent's
configuration](configuration.md); [the collector](collector.md) says what it does.

"""

_METRICS = """# Metrics

Made from the code by `scripts/docs`; do not edit.

The `/metrics` of an agent speaks the Prometheus text format 0.0.4 and OpenMetrics 1.0, as the Accept header asks. A
member with ten peers in a healthy mesh has at most 63 series, and about 13 for each kind and path of plain targets;
edges have series of their own while they are bad, or as `metrics.edges` says. Rules, alerts and dashboards:
[monitoring](monitoring.md).

"""


_METRICS_COLLECTOR = """
# Metrics of the collector

Series about the cluster exist only at [the collector](collector.md#metrics), at most 300 whatever its size. The
latencies are the indicators of Kubernetes' SIG Scalability
([network](https://github.com/kubernetes/community/blob/master/sig-scalability/slos/network_latency.md),
[DNS](https://github.com/kubernetes/community/blob/master/sig-scalability/slos/dns_latency.md)), counted at the agents
and summed up here. The 99th percentile over five minutes is

    histogram_quantile(0.99, sum by (le) (rate(kubesonar_cluster_network_latency_seconds_bucket[5m])))

They differ from the published definition in that agents ask every few seconds, not each second, and in that the
percentile is that of all agents together. Network programming latency cannot be had from probes: it needs the time at
which an endpoint changed.

"""


def pages() -> dict[str, str]:
    """Return each page's name and text."""
    return {
        "configuration.md": _CONFIGURATION + markdown(describe(AgentOptions)),
        "collector-configuration.md": _COLLECTOR + markdown(describe(CollectorOptions)),
        "metrics.md": _METRICS + reference() + _METRICS_COLLECTOR + metric_table(COLLECTOR_METRICS),
    }


def main(arguments: Sequence[str]) -> None:
    """Write the pages into the folder that the first argument names."""
    for name, text in pages().items():
        (Path(arguments[0]) / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])

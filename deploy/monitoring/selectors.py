"""The selectors that the panels of our dashboard share."""

from __future__ import annotations

_ALL = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
TRUSTED = f"unless on (cluster, job, instance) (kubesonar_troubled{{{_ALL}}} == 1)"
"""Leaves out agents that cannot trust themselves."""

SOURCE = (
    "* on (cluster, job, instance) group_left (source_node) "
    f'label_replace(kubesonar_member_info{{{_ALL}}}, "source_node", "$1", "node", "(.*)")'
)
"""Adds the node on which the agent is, as source_node."""


def of(metric: str, labels: str = "") -> str:
    """The metric of the chosen agents."""
    return f"{metric}{{{_ALL}{', ' if labels else ''}{labels}}}"


def on_path(regex: str) -> str:
    """A matcher of paths."""
    return f'path=~"{regex}"'


def rate(metric: str, labels: str = "") -> str:
    """The rate of a counter of the chosen agents."""
    return f"rate({of(metric, labels)}[$__rate_interval])"

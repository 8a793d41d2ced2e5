"""Makes the PrometheusRule objects and the dashboards of this folder: `python -m deploy.monitoring.make`
(scripts/monitoring)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.monitoring import dashboard, kubenurse_dashboard

RUNBOOKS = "https://kubesonar.io/docs/runbooks/"
"""Where docs/runbooks/ is published; each alert's runbook_url is this, the alert's name and ".md"."""

_HERE = Path(__file__).parent
_RULES = {"prometheusrule.yaml": "rules.yaml", "kubenurse-prometheusrule.yaml": "kubenurse-rules.yaml"}


class _Dumper(yaml.SafeDumper):
    """Text of several lines stays readable."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def prometheus_rule(source: str) -> str:
    """The rule file `source` as an object of the Prometheus operator, in YAML."""
    rules = yaml.safe_load((_HERE / source).read_text())
    name = source.removesuffix("rules.yaml").rstrip("-") or "kubesonar"
    document: dict[str, Any] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": name}},
        "spec": rules,
    }
    head = f"# Made from {source} by scripts/monitoring; do not edit.\n"
    return head + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120)


def files() -> dict[str, str]:
    """Every made file's name and text."""
    dashboards = {"dashboard.json": dashboard.DASHBOARD, "kubenurse-dashboard.json": kubenurse_dashboard.DASHBOARD}
    return {
        **{name: prometheus_rule(source) for name, source in _RULES.items()},
        **{name: json.dumps(one.json(), indent=1) + "\n" for name, one in dashboards.items()},
    }


def main() -> None:
    """Writes them."""
    for name, text in files().items():
        (_HERE / name).write_text(text)


if __name__ == "__main__":
    main()

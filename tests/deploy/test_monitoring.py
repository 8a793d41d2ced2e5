"""The rules say what their tests say, everything made is up to date, and each alert has its page."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.make import RUNBOOKS, files
from kubesonar.model import Fault
from kubesonar.views.metrics import agent, collector, dns, dns_repair, membership, saturation, webhooks
from tests.programs import needs

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
RULES = ("rules.yaml", "kubenurse-rules.yaml")
SECTIONS = ("## Meaning", "## Impact", "## Diagnosis", "## Mitigation")

needs_promtool = needs("promtool")


def rules() -> list[dict[str, Any]]:
    documents = [yaml.safe_load((FOLDER / name).read_text()) for name in RULES]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


ALERTS = [rule for rule in rules() if "alert" in rule]


def promtool(*arguments: str) -> None:
    """Runs it, with more garbage than usual before it is collected, which takes a fifth of its time otherwise."""
    environ = {**os.environ, "GOGC": "400"}
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_reads_the_rules() -> None:
    promtool("check", "rules", *RULES)


@needs_promtool
@pytest.mark.parametrize("name", sorted(file.name for file in (FOLDER / "tests").glob("*.yaml")))
def test_the_rules_fire_when_they_should_and_only_then(name: str) -> None:
    promtool("test", "rules", f"tests/{name}")


@pytest.mark.parametrize("name", files())
def test_what_is_made_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == files()[name], "out of date: run scripts/monitoring"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_tells_what_it_means_and_what_to_do(alert: dict[str, Any]) -> None:
    name, annotations = alert["alert"], alert["annotations"]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    of_agents = name.startswith("Kubesonar")  # kubenurse's metrics come without a collector, which has the page
    assert set(annotations) == {"summary", "description", "runbook_url"} | ({"page_url"} if of_agents else set())
    assert annotations["runbook_url"] == f"{RUNBOOKS}{name}.md"
    page = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert all(section in page for section in SECTIONS)
    tested = "".join(file.read_text() for file in (FOLDER / "tests").glob("*.yaml"))
    assert name in tested, "no test has this alert fire"


def test_every_page_is_of_an_alert_and_listed() -> None:
    names = {alert["alert"] for alert in ALERTS}
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert pages == names
    listed = (ROOT / "docs" / "monitoring.md").read_text()
    assert [name for name in sorted(names) if f"runbooks/{name}.md" not in listed] == []


def test_only_metrics_that_exist_are_asked_for() -> None:
    table = (
        *agent.AGENT_METRICS,
        *saturation.SATURATION_METRICS,
        *membership.MEMBERSHIP_METRICS,
        *webhooks.WEBHOOK_METRICS,
        *collector.COLLECTOR_METRICS,
        *dns.DNS_METRICS,
        *dns_repair.REPAIR_METRICS,
    )
    exported = {metric.name for metric in table} | {
        f"{metric.name}_{suffix}"
        for metric in table
        if metric.type == "histogram"
        for suffix in ("bucket", "sum", "count")
    }
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    text = (FOLDER / "rules.yaml").read_text() + (FOLDER / "dashboard.json").read_text()
    expressions = re.sub(r"docs/runbooks/\S+|#.*", "", text)
    asked = set(re.findall(r"\bkubesonar(?::[a-z0-9_:]+|_[a-z0-9_]+)", expressions))
    assert asked - exported - recorded == set()
    assert len(asked) > 10


def test_faults_that_accuse_nobody_are_no_failures() -> None:
    blameless = "|".join(["good", *(fault for fault in Fault if not fault.accuses)])
    accusing = re.findall(
        r'result!~\\*"([a-z_|]+)\\*"', (FOLDER / "rules.yaml").read_text() + files()["dashboard.json"]
    )
    assert {frozenset(found.split("|")) for found in accusing} == {frozenset(blameless.split("|"))}


@pytest.mark.parametrize("name", ["dashboard.json", "kubenurse-dashboard.json"])
def test_a_dashboard_can_be_imported_into_any_grafana(name: str) -> None:
    """No data source, host or folder of ours in it; ids are its own and panels do not overlap."""
    board = json.loads((FOLDER / name).read_text())
    assert "id" not in board
    assert board["templating"]["list"][0]["type"] == "datasource"
    uids = set(re.findall(r"\"uid\": \"([^\"]+)\"", (FOLDER / name).read_text()))
    assert uids == {board["uid"], "${datasource}"}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24

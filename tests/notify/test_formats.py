"""The bodies: against our own JSON schema, and against the shape that Alertmanager publishes."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from kubesonar.core.delivery.http_outcome import Outcome
from kubesonar.model import Condition, Network, Notice
from kubesonar.net.clock import SystemClock
from kubesonar.notify.formats import PAYLOAD_SCHEMA, alertmanager, native
from kubesonar.notify.options import NotifyOptions
from kubesonar.notify.receivers import configured
from kubesonar.notify.webhook import Webhook
from tests.notify.receivers import notice, options, run
from tests.programs import found

ROOT = Path(__file__).parents[2]
NOTICE = json.loads((ROOT / "docs/schemas/notice.json").read_text())
CONDITIONS = [condition for condition in Condition if condition is not Condition.OTHER]
OF_INCIDENTS = [
    Condition.OPENED,
    Condition.CHANGED,
    Condition.RETURNED,
    Condition.FLAPPING,
    Condition.CLOSED,
    Condition.MERGED,
    Condition.LEFT,
]
OF_MEMBERS = [condition for condition in CONDITIONS if condition not in OF_INCIDENTS or condition is Condition.LEFT]
INCIDENT = Notice(
    id="1" * 32,
    what=Condition.OPENED,
    subject="node-3",
    at=1_795_262_401.0,
    sentence="node-3 is cut off",
    since=1_795_262_399.0,
    evidence=("8 of 8 observers agree",),
    coordinator="collector-1",
    cluster="prod-eu",
    component="incident",
    incident="67b3bfdc0dff7ceb",
    part="node",
    severity="critical",
)
BARE = Notice(id="0" * 32, what=Condition.BACK, subject="a", at=0.0, sentence="a is back")

LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
TIME = {"type": "string", "format": "date-time"}
POSTABLE_ALERTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["labels"],
        "properties": {
            "labels": LABELS,
            "annotations": LABELS,
            "startsAt": TIME,
            "endsAt": TIME,
            "generatorURL": {"type": "string", "format": "uri"},
        },
        "additionalProperties": False,
    },
}
"""`postableAlerts` of Alertmanager's api/v2/openapi.yaml, which allows further properties and ignores them."""


def valid(document: bytes, schema: dict[str, Any]) -> Any:
    Draft202012Validator.check_schema(schema)
    parsed = json.loads(document)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(parsed)
    return parsed


@pytest.mark.parametrize("what", OF_MEMBERS)
def test_native_bodies_are_valid_and_say_everything(what: Condition) -> None:
    parsed = valid(native(notice(1, what=what)), NOTICE)
    assert parsed["type"] == ("cluster.status" if what is Condition.CLUSTER else f"member.{what}")
    assert parsed["timestamp"] == "2026-11-21T12:00:01.000Z"
    data = parsed["data"]
    own = notice(1, what=what)
    told = json.loads(msgspec.json.encode(own)) | {"schema": PAYLOAD_SCHEMA, "member": "node-1-pod"}
    told |= {"cluster": own.cluster, "network": own.network, "component": own.component, "members": ["node-1-pod"]}
    told |= {"incident": "", "part": "", "severity": "", "page": ""}
    del told["subject"]
    assert data == told
    assert list(data) == NOTICE["properties"]["data"]["required"]


def test_a_notice_of_which_little_is_known_is_valid_too() -> None:
    assert valid(native(BARE), NOTICE)["data"]["since"] is None


def test_every_condition_is_in_the_schema() -> None:
    said = NOTICE["properties"]["data"]["properties"]["what"]["description"]
    assert [condition for condition in CONDITIONS if condition not in said] == []


@pytest.mark.parametrize("what", OF_INCIDENTS)
def test_bodies_about_incidents_are_valid_and_say_which_part_and_how_bad(what: Condition) -> None:
    told = msgspec.structs.replace(INCIDENT, what=what)
    parsed = valid(native(told), NOTICE)
    assert parsed["type"] == f"incident.{what}"
    data = parsed["data"]
    assert (data["member"], data["incident"], data["part"], data["severity"]) == (
        "node-3",
        "67b3bfdc0dff7ceb",
        "node",
        "critical",
    )
    body = alertmanager("https://sonar.example.org/")(told)
    assert body is not None
    (alert,) = valid(body, POSTABLE_ALERTS)
    assert alert["labels"] == {
        "alertname": "KubesonarIncident",
        "severity": "critical",
        "cluster": "prod-eu",
        "component": "incident",
        "part": "node",
        "subject": "node-3",
        "incident": "67b3bfdc0dff7ceb",
    }
    assert (alert["startsAt"], alert["annotations"]["summary"]) == ("2026-11-21T11:59:59.000Z", "node-3 is cut off")
    over = what in (Condition.CLOSED, Condition.MERGED, Condition.LEFT)
    assert alert["endsAt"] == ("2026-11-21T12:00:01.000Z" if over else "2026-11-21T12:05:01.000Z")


@pytest.mark.parametrize("what", [what for what in OF_MEMBERS if what is not Condition.CLUSTER])
def test_alerts_are_valid_and_just_the_present_condition_fires(what: Condition) -> None:
    of_coordinator = what in (Condition.SUSPECT, Condition.MINORITY)
    told = msgspec.structs.replace(notice(1, what=what), component="coordinator" if of_coordinator else "member")
    body = alertmanager("https://sonar.example.org/")(told)
    assert body is not None
    alerts = valid(body, POSTABLE_ALERTS)
    firing = [alert["labels"]["alertname"] for alert in alerts if alert["endsAt"] == "2026-11-21T12:05:01.000Z"]
    ended = [alert for alert in alerts if alert["endsAt"] == "2026-11-21T12:00:01.000Z"]
    assert len(firing) == (what not in (Condition.BACK, Condition.LEFT))
    of_node = 3 if what.ends else 0  # what ends for a member ends for all of its node
    assert len(firing) + len(ended) == (2 if of_coordinator else 3 + of_node)
    assert {alert["startsAt"] for alert in alerts} == {"2026-11-21T11:59:57.500Z"}
    assert alerts[0]["generatorURL"] == "https://sonar.example.org/"


def test_what_has_a_view_on_the_page_leads_there() -> None:
    view = "https://sonar.example.org/incidents/67b3bfdc0dff7ceb"
    told = msgspec.structs.replace(INCIDENT, page=view)
    assert valid(native(told), NOTICE)["data"]["page"] == view
    body = alertmanager("https://wiki.example.org/sonar")(told)
    assert body is not None
    (alert,) = valid(body, POSTABLE_ALERTS)
    assert (alert["annotations"]["page"], alert["generatorURL"]) == (view, view)


def test_alerts_of_little_and_none_of_the_cluster() -> None:
    assert alertmanager("")(notice(1, what=Condition.CLUSTER)) is None
    body = alertmanager("")(BARE)
    assert body is not None
    for alert in valid(body, POSTABLE_ALERTS):
        assert alert["startsAt"] == alert["endsAt"]
        assert alert["labels"]["subject"] == "a"
        assert "generatorURL" not in alert


def labels(told: Notice) -> list[dict[str, str]]:
    body = alertmanager("")(told)
    assert body is not None
    return [alert["labels"] for alert in json.loads(body)]


def test_an_alert_is_known_by_cluster_component_subject_and_network() -> None:
    one = msgspec.structs.replace(notice(1), cluster="prod-eu", network=Network.HOST)
    (dead, *_) = labels(one)
    assert dead == {
        "alertname": "KubesonarMemberDead",
        "severity": "critical",
        "cluster": "prod-eu",
        "component": "member",
        "subject": "node-1",
        "network": "host",
    }
    successor = msgspec.structs.replace(one, subject="kubesonar-x2x4z", epoch=9, id="1" * 32)
    assert labels(successor) == labels(one)
    assert labels(msgspec.structs.replace(one, cluster="prod-us")) != labels(one)


def test_an_alert_about_a_node_has_no_network_and_ends_with_that_of_any_of_its_members() -> None:
    both = ("node-1-host", "node-1-pod")
    node = msgspec.structs.replace(notice(1), subject="node-1", component="node", members=both, cluster="prod-eu")
    (dead, *_) = labels(node)
    assert dead == {
        "alertname": "KubesonarMemberDead",
        "severity": "critical",
        "cluster": "prod-eu",
        "component": "node",
        "subject": "node-1",
    }
    assert all(one["component"] == "node" for one in labels(node))
    returned = msgspec.structs.replace(node, what=Condition.BACK, subject="node-1-pod", component="member")
    assert dead in labels(returned)
    body = json.loads(native(node))
    assert body["type"] == "member.dead"
    assert (body["data"]["member"], body["data"]["members"]) == ("node-1-host", list(both))


def test_the_doubts_of_two_coordinators_are_one_alert() -> None:
    one = msgspec.structs.replace(notice(1, what=Condition.MINORITY), component="coordinator", cluster="prod-eu")
    assert labels(one) == labels(msgspec.structs.replace(one, subject="node-2-pod", node="node-2"))


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real Alertmanager."""
    program = shutil.which("alertmanager") or found("prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program, f"--config.file={folder}/config.yml", f"--storage.path={folder}", "--cluster.listen-address="]
    with subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL) as process:
        try:
            yield _ready(f"http://{address}")
        finally:
            process.terminate()


def _ready(base: str) -> str:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"{base}/-/ready"):
                return base
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("Alertmanager did not become ready")


async def _post(own: NotifyOptions, notices: list[Notice]) -> list[Outcome]:
    (receiver,) = configured(own, {})
    webhook = Webhook(receiver, SystemClock())
    bodies = [body for body in map(receiver.format, notices) if body is not None]
    try:
        return [await webhook.post("0", body) for body in bodies]
    finally:
        webhook.close()


def active(base: str) -> list[tuple[str, str]]:
    with urllib.request.urlopen(f"{base}/api/v2/alerts") as response:
        return [(alert["labels"]["alertname"], alert["annotations"]["summary"]) for alert in json.load(response)]


def test_a_real_alertmanager_fires_replaces_and_resolves(manager: str) -> None:
    own = options(f"{manager}/api/v2/alerts", format="alertmanager", link="http://sonar.example.org/")
    now = time.time()
    story = [
        msgspec.structs.replace(notice(1, "node-1-pod", what), at=now + number, since=now - 5)
        for number, what in enumerate([Condition.FROZEN, Condition.DEAD, Condition.BACK], -3)
    ]
    expected = [
        [("KubesonarMemberFrozen", "node-1-pod is frozen (1)")],
        [("KubesonarMemberDead", "node-1-pod is dead (1)")],
        [],
    ]
    for told, alerts in zip(story, expected, strict=True):
        assert [outcome.status for outcome in run(_post(own, [told]))] == [200]
        assert active(manager) == alerts

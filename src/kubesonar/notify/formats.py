"""Formats of webhook bodies: our own and Alertmanager's. Programs hand in those of older tools."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubesonar.model import Condition, Notice
from kubesonar.runtime.logs import timestamp

PAYLOAD_SCHEMA = 1
"""Version of the native body (docs/schemas/notice.json). It rises when a reader of the one before could misread it."""

ALERTS_PATH = "/api/v2/alerts"
"""Path at which Alertmanager takes alerts (its API v2)."""

Format = Callable[[Notice], bytes | None]
"""Function from a notice to its body in JSON; None where this format has no body for it."""


def native(notice: Notice) -> bytes:
    """Return the notice in the envelope that the Standard Webhooks recommend (type, timestamp, data)."""
    subject = "cluster.status" if notice.what is Condition.CLUSTER else f"member.{notice.what.value}"
    data = {
        "schema": PAYLOAD_SCHEMA,
        "id": notice.id,
        "what": notice.what.value,
        "member": notice.subject,
        "node": notice.node,
        "epoch": notice.epoch,
        "since": notice.since,
        "at": notice.at,
        "sentence": notice.sentence,
        "evidence": notice.evidence,
        "coordinator": notice.coordinator,
    }
    return msgspec.json.encode({"type": subject, "timestamp": timestamp(notice.at), "data": data})


ALERTS = {
    Condition.DEAD: ("KubesonarMemberDead", "critical"),
    Condition.GONE: ("KubesonarMemberGone", "warning"),
    Condition.FROZEN: ("KubesonarMemberFrozen", "warning"),
    Condition.SUSPECT: ("KubesonarObserverSuspect", "warning"),
    Condition.MINORITY: ("KubesonarMinority", "critical"),
}
"""Name and severity of the alert of each condition."""


def alertmanager(link: str, alert_for: float) -> Format:
    """Return the format of Alertmanager's API v2. A notice fires the alert of its condition, for at most `alert_for`
    seconds, and resolves the others of the same member: a new coordinator does not know which of them its predecessor
    fired, and Alertmanager ignores the end of an alert that never fired. `link` becomes the generatorURL."""

    def bodies(notice: Notice) -> bytes | None:
        if notice.what not in ALERTS and notice.what is not Condition.BACK:
            return None
        alerts = [_alert(notice, condition, link, alert_for) for condition in ALERTS]
        return msgspec.json.encode(alerts)

    return bodies


def _alert(notice: Notice, condition: Condition, link: str, alert_for: float) -> dict[str, object]:
    name, severity = ALERTS[condition]
    labels = {"alertname": name, "severity": severity, "member": notice.subject, "node": notice.node}
    fires = notice.what is condition
    started = notice.at if notice.since is None else min(notice.since, notice.at)
    alert: dict[str, object] = {
        "labels": {label: value for label, value in labels.items() if value},
        "annotations": {
            "summary": notice.sentence,
            "description": "; ".join(notice.evidence),
            "coordinator": notice.coordinator,
            "notice": notice.id,
        },
        "startsAt": timestamp(started),
        "endsAt": timestamp(notice.at + alert_for if fires else notice.at),
    }
    return alert | ({"generatorURL": link} if link else {})

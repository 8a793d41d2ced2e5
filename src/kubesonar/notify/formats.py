"""Formats of webhook bodies: our own and Alertmanager's. Programs hand in those of older tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kubesonar.core.encoding import encode_json
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
    about = "incident" if notice.component == INCIDENT else "member"
    subject = "cluster.status" if notice.what is Condition.CLUSTER else f"{about}.{notice.what.value}"
    data = {
        "schema": PAYLOAD_SCHEMA,
        "id": notice.id,
        "what": notice.what.value,
        "member": notice.members[0] if notice.members else notice.subject,
        "members": notice.members or (notice.subject,),
        "node": notice.node,
        "epoch": notice.epoch,
        "since": notice.since,
        "at": notice.at,
        "sentence": notice.sentence,
        "evidence": notice.evidence,
        "coordinator": notice.coordinator,
        "cluster": notice.cluster,
        "network": notice.network.value,
        "component": notice.component,
        "incident": notice.incident,
        "part": notice.part,
        "severity": notice.severity,
        "page": notice.page,
    }
    return encode_json({"type": subject, "timestamp": timestamp(notice.at), "data": data})


INCIDENT = "incident"
"""The component of notices about incidents."""

ALERT_LASTS = 300.0
"""Seconds for which an alert fires unless it is sent again, which it is each minute: with less, a slow minute resolves
it; with more, it outlives a coordinator that died."""

ALERTS = {
    Condition.DEAD: ("KubesonarMemberDead", "critical", "member"),
    Condition.GONE: ("KubesonarMemberGone", "warning", "member"),
    Condition.FROZEN: ("KubesonarMemberFrozen", "warning", "member"),
    Condition.SUSPECT: ("KubesonarObserverSuspect", "warning", "coordinator"),
    Condition.MINORITY: ("KubesonarMinority", "critical", "coordinator"),
}
"""Name, severity and component of the alert of each condition."""

_CONDITIONS = {
    component: tuple(what for what, rule in ALERTS.items() if rule[2] == of)
    for component, of in {"member": "member", "node": "member", "coordinator": "coordinator"}.items()
}


def alertmanager(link: str) -> Format:
    """Return the format of Alertmanager's API v2. A notice fires the alert of its condition, for `ALERT_LASTS` seconds,
    and resolves the others of the same subject: a new coordinator does not know which of them its predecessor fired,
    and Alertmanager ignores the end of an alert that never fired. The notice's page becomes the generatorURL, `link`
    where it has none.

    Cluster, component, subject and network are the alert's identity, beside its condition: never a pod's name or an
    address, which others may have next. The subject is the node; only where none is known it is the member. An alert
    about a node (all its members) has no network; what ends an alert about one of its members ends it too, because it
    holds for all of them only.

    The alert of an incident is known by the incident's id, its part, subject and severity: of an incident that is
    explained otherwise than before, the alert before ends by itself."""

    def bodies(notice: Notice) -> bytes | None:
        if notice.component == INCIDENT:
            return encode_json([_incident_alert(notice, link)])
        if notice.what not in ALERTS and not notice.what.ends:
            return None
        components = [notice.component]
        if notice.what.ends and notice.component == "member" and notice.node:
            components.append("node")
        return encode_json([_alert(notice, one, what, link) for one in components for what in _CONDITIONS[one]])

    return bodies


def _incident_alert(notice: Notice, link: str) -> dict[str, object]:
    labels = {
        "alertname": "KubesonarIncident",
        "severity": notice.severity,
        "cluster": notice.cluster,
        "component": notice.component,
        "part": notice.part,
        "subject": notice.subject,
        "incident": notice.incident,
    }
    return _body(notice, labels, link, fires=not notice.what.ends)


def _alert(notice: Notice, component: str, condition: Condition, link: str) -> dict[str, object]:
    name, severity, _ = ALERTS[condition]
    labels = {
        "alertname": name,
        "severity": severity,
        "cluster": notice.cluster,
        "component": component,
        "subject": component if component == "coordinator" else notice.node or notice.subject,
        "network": "" if component == "node" else notice.network.value,
    }
    return _body(notice, labels, link, fires=notice.what is condition)


def _body(notice: Notice, labels: Mapping[str, str], link: str, *, fires: bool) -> dict[str, object]:
    started = notice.at if notice.since is None else min(notice.since, notice.at)
    alert: dict[str, object] = {
        "labels": {label: value for label, value in labels.items() if value},
        "annotations": {
            "summary": notice.sentence,
            "description": "; ".join(notice.evidence),
            "member": ", ".join(notice.members) or notice.subject,
            "coordinator": notice.coordinator,
            "notice": notice.id,
        }
        | ({"page": notice.page} if notice.page else {}),
        "startsAt": timestamp(started),
        "endsAt": timestamp(notice.at + ALERT_LASTS if fires else notice.at),
    }
    source = notice.page or link
    return alert | ({"generatorURL": source} if source else {})

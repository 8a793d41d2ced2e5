"""Notices in the log."""

from __future__ import annotations

import logging

from kubesonar.model import Condition, Notice, Severity

_LOG = logging.getLogger("kubesonar.notify")


def log_notice(notice: Notice) -> None:
    """Log the sentence of a notice as a warning, that of good news and of hints at level info."""
    calm = notice.what.ends or notice.what is Condition.CLUSTER or notice.severity == Severity.INFO.value
    level = logging.INFO if calm else logging.WARNING
    fields = {"what": notice.what.value, "member": notice.subject, "node": notice.node, "id": notice.id}
    if notice.evidence:
        fields["evidence"] = "; ".join(notice.evidence)
    _LOG.log(level, "%s", notice.sentence, extra=fields)

"""Notices in the log."""

from __future__ import annotations

import logging

from kubesonar.model import Condition, Notice

_LOG = logging.getLogger("kubesonar.notify")
_CALM = frozenset({Condition.BACK, Condition.LEFT, Condition.CLUSTER})


class LogNotifier:
    """Logs the sentence of each notice as a warning, good news at level info."""

    async def notify(self, notice: Notice) -> None:
        """See `Notifier`."""
        level = logging.INFO if notice.what in _CALM else logging.WARNING
        fields = {"what": notice.what.value, "member": notice.subject, "node": notice.node, "id": notice.id}
        if notice.evidence:
            fields["evidence"] = "; ".join(notice.evidence)
        _LOG.log(level, "%s", notice.sentence, extra=fields)

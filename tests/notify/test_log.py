"""Notices as lines of the log."""

from __future__ import annotations

import logging

import pytest

from kubesonar.model import Condition
from kubesonar.notify.log import log_notice
from tests.notify.receivers import notice


@pytest.mark.parametrize(
    ("what", "level"),
    [
        (Condition.DEAD, "WARNING"),
        (Condition.GONE, "WARNING"),
        (Condition.FROZEN, "WARNING"),
        (Condition.BACK, "INFO"),
        (Condition.LEFT, "INFO"),
        (Condition.CLUSTER, "INFO"),
    ],
)
def test_a_notice_is_a_line_and_only_bad_news_is_a_warning(
    caplog: pytest.LogCaptureFixture, what: Condition, level: str
) -> None:
    caplog.set_level(logging.INFO, "kubesonar.notify")
    told = notice(1, what=what)
    log_notice(told)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (level, told.sentence)
    said = {name: record.__dict__[name] for name in ("what", "member", "node", "id", "evidence")}
    assert said == {
        "what": what.value,
        "member": "node-1-pod",
        "node": "node-1",
        "id": told.id,
        "evidence": "silent to 3 members in 3 zones",
    }

"""Snapshots as agents send them: read, refused with a reason, one kept of each member."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.telemetry.snapshots import decode_snapshot, newest
from kubesonar.model import SCHEMA
from tests.core.snapshots import lone


def changed(**fields: object) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(lone()), **fields})


def test_what_was_encoded_is_decoded_whatever_a_later_version_adds() -> None:
    assert decode_snapshot(changed()) == lone()
    assert decode_snapshot(changed(findings=[{"part": "x"}], mood="good")) == lone()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "its answer is no snapshot: "),
        (b"\xff\xff", "its answer is no snapshot: "),
        (b"[" * 200_000, "its answer is no snapshot: "),
        (changed(member={"name": 7}), "its snapshot is malformed: "),
        (changed(at=-1.0), "its snapshot is malformed: Expected `float` >= 0.0 - at `$.at`"),
        (changed(schema=SCHEMA + 1), f"version mismatch: its snapshot has schema {SCHEMA + 1}, expected {SCHEMA}"),
        (changed(schema=SCHEMA + 1, member=7), f"version mismatch: its snapshot has schema {SCHEMA + 1}"),
    ],
)
def test_what_is_none_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    found = decode_snapshot(body)
    assert isinstance(found, str)
    assert found.startswith(reason)


def test_the_latest_snapshot_of_the_latest_life_is_kept() -> None:
    old, new, before = lone(at=100.0, epoch=2), lone(at=200.0, epoch=2), lone(at=300.0, epoch=1)
    assert newest([old, new, before, lone("b")]) == {"a": new, "b": lone("b")}
    assert newest([before, new, old]) == {"a": new}

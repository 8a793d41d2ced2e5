"""Metadata is bounded."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.kube.object_meta import NOTE_SIZE, NOTES
from kubesonar.kube.types import Pod


def _pod(**meta: object) -> Pod:
    return msgspec.convert({"metadata": {"name": "a", **meta}}, Pod)


def test_long_annotations_are_left_out_and_short_ones_kept() -> None:
    pod = _pod(annotations={"last-applied": "x" * (NOTE_SIZE + 1), "mesh": "off"})
    assert pod.metadata.annotations == {"mesh": "off"}


@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_metadata_is_bounded(where: str) -> None:
    pod = _pod(**{where: {f"k{number}": "v" for number in range(10_000)}})
    assert len(getattr(pod.metadata, where)) == NOTES

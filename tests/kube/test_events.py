"""Lines of a watch."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubesonar.kube.errors import ApiError
from kubesonar.kube.events import Event, read_event
from kubesonar.kube.list_stream import ObjectDecoder
from kubesonar.kube.types import Pod
from tests.kube import shapes


def read(kind: str, tree: object) -> Event[Pod] | None:
    return read_event(msgspec.json.encode({"type": kind, "object": tree}), ObjectDecoder(Pod))


def pod(**meta: Any) -> shapes.Tree:
    tree = shapes.pod("a")
    tree["metadata"] |= {"resourceVersion": "7", **meta}
    return tree


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_a_change_has_its_object_its_key_and_its_version(kind: str) -> None:
    event = read(kind, pod())
    assert event is not None
    assert event.object is not None
    assert (event.type, event.key, event.version, event.unfit) == (kind, "default/a", "7", False)


def test_a_bookmark_has_a_version_only() -> None:
    assert read("BOOKMARK", {"metadata": {"resourceVersion": "9"}}) == Event("BOOKMARK", None, "9")


def test_an_object_that_does_not_fit_is_named_all_the_same() -> None:
    event = read("MODIFIED", pod() | {"spec": 5})
    assert event == Event("MODIFIED", None, "7", "default/a")
    assert event.unfit


def test_an_object_with_text_that_is_not_utf_8_is_named_all_the_same() -> None:
    line = b'{"type":"ADDED","object":' + msgspec.json.encode(pod() | {"status": {"podIP": "?"}}) + b"}"
    assert read_event(line.replace(b'"?"', b'"\xff"'), ObjectDecoder(Pod)) == Event("ADDED", None, "7", "default/a")
    assert read_event(line.replace(b'"?"', b'"\xff"').replace(b'"a"', b'"\xff"'), ObjectDecoder(Pod)) is None


@pytest.mark.parametrize("tree", [None, 5, {}, {"metadata": {}}, {"metadata": {"name": "a"}}])
def test_a_line_without_a_version_is_passed_over(tree: object) -> None:
    assert read("ADDED", tree) is None


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"type": "ADDED"}', b"[" * 100_000])
def test_a_line_that_is_no_event_is_passed_over(line: bytes) -> None:
    assert read_event(line, ObjectDecoder(Pod)) is None


@pytest.mark.parametrize(
    ("tree", "status"), [({"code": 410, "reason": "Expired"}, 410), ({"code": 7}, 500), ({}, 500), (5, 0)]
)
def test_an_error_is_raised_with_its_status(tree: object, status: int) -> None:
    with pytest.raises(ApiError) as caught:
        read("ERROR", tree)
    assert caught.value.status == status

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.kube.list_stream import ListMeta, ListPage, ObjectDecoder, PageError
from kubesonar.kube.object_meta import Object
from kubesonar.kube.types import EndpointSlice, Node, Pod, Service
from tests.kube import shapes

META = {"resourceVersion": "7", "continue": "more"}


def _list(*items: dict[str, Any], **more: Any) -> bytes:
    return msgspec.json.encode({"kind": "PodList", "metadata": META, "items": list(items), **more})


def _read(data: bytes, *cuts: int) -> tuple[list[Pod], ListMeta, ObjectDecoder[Pod]]:
    objects = ObjectDecoder(Pod)
    page = ListPage(objects)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found = [pod for start, end in pairwise(edges) for pod in page.feed(data[start:end])]
    last, meta = page.end()
    return found + last, meta, objects


PODS = [shapes.pod(f"p{number}", ips=(f"10.0.0.{number}",)) for number in range(5)]


@given(st.lists(st.integers(0, 1 << 20), max_size=30))
def test_however_it_comes_in(cuts: list[int]) -> None:
    pods, meta, _ = _read(_list(*PODS), *cuts)
    assert [pod.metadata.name for pod in pods] == ["p0", "p1", "p2", "p3", "p4"]
    assert [pod.status.pod_ip for pod in pods] == [f"10.0.0.{number}" for number in range(5)]
    assert (meta.resource_version, meta.continue_) == ("7", "more")


def test_objects_are_given_before_the_list_is_over() -> None:
    data = _list(*PODS)
    page = ListPage(ObjectDecoder(Pod))
    assert len(list(page.feed(data[: len(data) - 10]))) == 4


@pytest.mark.parametrize("items", [b"[]", b"null"])
def test_an_empty_list(items: bytes) -> None:
    data = b'{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":%b}' % items
    pods, meta, _ = _read(data, 40)
    assert (pods, meta.resource_version) == ([], "7")


def test_a_list_with_white_space_and_its_metadata_at_the_end() -> None:
    data = msgspec.json.format(msgspec.json.encode({"items": PODS, "kind": "PodList", "metadata": META}), indent=2)
    pods, meta, _ = _read(data, *range(0, len(data), 100))
    assert (len(pods), meta.resource_version) == (5, "7")


def test_metadata_behind_the_objects_as_custom_resources_have_it() -> None:
    pods, meta, _ = _read(msgspec.json.encode({"apiVersion": "v1", "items": PODS, "metadata": META}))
    assert (len(pods), meta.resource_version) == (5, "7")


def test_what_looks_like_an_end_of_an_object_within_one() -> None:
    nested = {"metadata": {"name": "x"}, "spec": {"templates": [{"a": 1}, {"metadata": {}}, {"metadata": {}}]}}
    tricky = {**nested, "text": '},{"metadata":', "status": {"podIP": "10.0.0.1"}}
    pods, _, objects = _read(_list(tricky, nested, *PODS))
    assert (len(pods), objects.skipped) == (7, 0)
    assert pods[0].status.pod_ip == "10.0.0.1"


def test_objects_that_can_never_be_cut() -> None:
    nested = {"metadata": {"name": "x"}, "spec": {"templates": [{"metadata": {}}] * 100}}
    pods, _, objects = _read(_list(*[nested] * 20), *range(0, 40_000, 50))
    assert (len(pods), objects.skipped) == (20, 0)


UNFIT = [
    {"metadata": {"name": 5}},
    {"metadata": {"name": "x", "labels": {"a": 1}}},
    {"metadata": {"name": "x" * 300}},
    {"metadata": {"name": "x"}, "status": {"podIPs": [{"ip": "1" * 100}]}},
    {"metadata": None},
]


@pytest.mark.parametrize("unfit", UNFIT)
def test_an_object_that_does_not_fit_is_skipped_and_counted(unfit: dict[str, Any]) -> None:
    for items in ([unfit, *PODS], [*PODS, unfit], [*PODS[:2], unfit, *PODS[2:]]):
        pods, _, objects = _read(_list(*items), *range(0, 20_000, 333))
        assert (len(pods), objects.skipped) == (5, 1)


NULLS: list[tuple[type[Object], dict[str, Any]]] = [
    (Pod, {"metadata": {"name": "p", "labels": None, "annotations": None, "ownerReferences": None}}),
    (Pod, {"metadata": {"name": "p"}, "spec": None, "status": None}),
    (Pod, {"metadata": {"name": "p"}, "spec": {"nodeName": None, "hostNetwork": None}, "status": {"podIPs": None}}),
    (Pod, {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"restartCount": None, "state": None}]}}),
    (Node, {"metadata": {"name": "n"}, "spec": {"taints": None, "unschedulable": None}}),
    (
        Node,
        {"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "True", "reason": None}]}},
    ),
    (Service, {"metadata": {"name": "s"}, "spec": {"clusterIP": "None", "clusterIPs": None, "ports": None}}),
    (EndpointSlice, {"metadata": {"name": "e"}, "endpoints": [{"addresses": [], "conditions": None}]}),
]


@pytest.mark.parametrize(("kind", "item"), NULLS)
def test_a_null_is_a_field_that_is_not_there_as_for_gos_clients(kind: type[Object], item: dict[str, Any]) -> None:
    decoder = ObjectDecoder(kind)
    found = decoder.decode(msgspec.json.encode(item))
    assert found is not None
    assert found.metadata.name == item["metadata"]["name"]
    assert decoder.skipped == 0


def test_an_object_with_text_that_is_not_utf_8_is_skipped_and_counted() -> None:
    data = _list(*PODS, shapes.pod("odd") | {"status": {"podIP": "?"}}).replace(b'"?"', b'"\xff"')
    pods, _, objects = _read(data)
    assert (len(pods), objects.skipped) == (len(PODS), 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"items":[{"metadata":',
        _list(*PODS)[:-1],
        _list(*PODS) + b"}",
        b'{"items":7}',
        b"[" * 5000,
    ],
)
def test_what_is_no_list(data: bytes) -> None:
    with pytest.raises(PageError):
        _read(data)


@given(st.binary(max_size=200))
def test_anything_is_a_list_or_none(data: bytes) -> None:
    with suppress(PageError):
        _read(b'{"items":[{"metadata":' + data, 25)

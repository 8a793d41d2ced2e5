"""Collections have words and safe paths."""

from __future__ import annotations

import pytest

from kubesonar.kube.resource import NODES, Resource, endpoint_slices, pods
from kubesonar.kube.types import EndpointSlice, Node, Pod


def test_the_words_of_a_resource() -> None:
    assert Resource(pods("x"), Pod).words == "pods in namespace x"
    assert Resource(NODES, Node).words == "nodes"
    assert Resource(endpoint_slices("y"), EndpointSlice).words == "endpointslices in namespace y"


@pytest.mark.parametrize("name", ["a/b", "a?b", "..", "A", "x" * 64, "-a"])
def test_a_namespace_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="a namespace is"):
        pods(name)

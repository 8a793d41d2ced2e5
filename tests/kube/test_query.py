"""Paths and queries of requests."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.kube.query import request_target, resource_target
from kubesonar.kube.resource import Resource, pods
from kubesonar.kube.types import Pod


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_any_text_survives_in_a_query(pairs: list[tuple[str, str]]) -> None:
    target = request_target("/api", pairs)
    assert target.isascii()
    assert parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=bool(pairs)) == pairs


def test_selectors_narrow_a_resource() -> None:
    resource = Resource(pods("x"), Pod, labels="a=b,c!=d", fields="spec.nodeName=n")
    assert resource_target(resource, (("watch", "true"),)) == (
        "/api/v1/namespaces/x/pods?watch=true&labelSelector=a%3Db%2Cc%21%3Dd&fieldSelector=spec.nodeName%3Dn"
    )


@pytest.mark.parametrize("path", ["", "api", "/a b", "/a\r\nX: y", "/ä"])
def test_a_path_that_would_change_the_request_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="a path begins with"):
        request_target(path)

"""Proxies of the environment are used where the option says so, and a warning says where they are not."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from kubesonar.apps.agent.options import AgentOptions, ProxyUse
from kubesonar.apps.agent.proxies import proxies_of
from kubesonar.net.http.url import parse_url

BOTH = {"HTTP_PROXY": "http://proxy.invalid:3128", "https_proxy": "proxy.invalid:3128"}
SHOP = {"name": "shop", "kind": "http", "path": "external", "request": "https://shop.example/"}
PAGER = {"name": "pager", "url": "http://pager.example/hook"}


def options(*targets: dict[str, Any], receivers: tuple[dict[str, Any], ...] = (), **more: Any) -> AgentOptions:
    tree = {"targets": targets, "notify": {"receivers": receivers}, **more}
    return msgspec.convert(tree, AgentOptions, strict=False)


@pytest.mark.parametrize(
    ("given", "environ", "names"),
    [
        (options(SHOP), {}, []),
        (options(SHOP), BOTH, ["https_proxy"]),
        (options(SHOP), {"HTTP_PROXY": "proxy:3128"}, []),
        (options(SHOP, receivers=(PAGER,)), BOTH, ["HTTP_PROXY", "https_proxy"]),
        (options(receivers=(PAGER,), membership={"enabled": False}), BOTH, []),
        (options(receivers=({"name": "x", "url_file": "/secret"},)), BOTH, ["HTTP_PROXY", "https_proxy"]),
        (options(SHOP), {**BOTH, "NO_PROXY": ".example"}, []),
        (options({**SHOP, "path": "ingress"}), BOTH, []),
        (options({**SHOP, "address": "192.0.2.1"}), BOTH, []),
        (options({**SHOP, "kind": "tcp", "address": "192.0.2.1", "port": 80, "request": ""}), BOTH, []),
    ],
)
def test_a_variable_that_would_apply_and_is_passed_over_is_told(
    given: AgentOptions, environ: dict[str, str], names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        proxies = proxies_of(given, environ)
    assert [record.getMessage().split()[0] for record in caplog.records] == names
    assert all("passed over" in record.getMessage() for record in caplog.records)
    assert proxies.of(parse_url("https://shop.example/")) is None


def test_with_the_option_they_are_used_and_one_that_cannot_be_is_told(caplog: pytest.LogCaptureFixture) -> None:
    given = options(SHOP, proxy="environment")
    assert given.proxy is ProxyUse.ENVIRONMENT
    with caplog.at_level(logging.WARNING):
        proxies = proxies_of(given, BOTH)
    proxy = proxies.of(parse_url("https://shop.example/"))
    assert proxy is not None
    assert (proxy.url.host, proxy.url.port) == ("proxy.invalid", 3128)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        proxies_of(given, {"HTTPS_PROXY": "https://proxy:443"})
    assert [record.getMessage().split()[0] for record in caplog.records] == ["HTTPS_PROXY"]

"""The proxy that the environment names for a URL."""

from __future__ import annotations

import pytest

from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.net.http.url import parse_url


def test_without_proxies_everything_goes_straight() -> None:
    assert Proxies({}).of(parse_url("http://a.example/")) is None


@pytest.mark.parametrize(
    "text", ["socks4://proxy:1080", "https://proxy:443", "http://", "socks5://", "socks5://proxy:99999"]
)
def test_a_proxy_that_cannot_be_used_is_told(text: str) -> None:
    proxies = Proxies({"https_proxy": text})
    assert proxies.trouble == "HTTPS_PROXY is not used: expected http://HOST:PORT or socks5://HOST:PORT"
    assert proxies.of(parse_url("https://a.example/")) is None


@pytest.mark.parametrize(
    ("environ", "server"),
    [
        ({"HTTP_PROXY": "proxy:3128"}, ("proxy", 3128)),
        ({"http_proxy": "http://proxy"}, ("proxy", 80)),
        ({"HTTP_PROXY": "HTTP://proxy:3128/"}, ("proxy", 3128)),
        ({"HTTP_PROXY": "one:1", "http_proxy": "two:2"}, ("one", 1)),
        ({"HTTP_PROXY": "", "http_proxy": "two:2"}, ("two", 2)),
        ({"HTTP_PROXY": "[fd00::1]:3128"}, ("fd00::1", 3128)),
        ({"HTTP_PROXY": "socks5://proxy"}, ("proxy", 1080)),
        ({"HTTP_PROXY": "SOCKS5h://user:secret@proxy:1/"}, ("proxy", 1)),
        ({"HTTP_PROXY": "socks5://[fd00::1]"}, ("fd00::1", 1080)),
        ({"HTTPS_PROXY": "one:1"}, None),
        ({"HTTP_PROXY": "one:1", "no_proxy": ".example"}, None),
        ({"HTTP_PROXY": "one:1", "NO_PROXY": "other", "no_proxy": ".example"}, ("one", 1)),
    ],
)
def test_the_proxy_of_a_plain_url(environ: dict[str, str], server: tuple[str, int] | None) -> None:
    proxy = Proxies(environ).of(parse_url("http://a.example/"))
    assert (proxy and (proxy.url.host, proxy.url.port)) == server

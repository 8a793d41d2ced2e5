"""Configuration of receivers: what cannot be used is refused in one sentence before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from kubesonar.config import ConfigError
from kubesonar.net.http.proxy.environment import Proxies
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.notify.receivers import configured
from tests.notify.receivers import options

URL = "http://hooks.example.org/x"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"url": ""}, "notify.receivers[pager]: expected either url or url_file"),
        ({"url_file": "/x"}, "notify.receivers[pager]: expected either url or url_file"),
        (
            {"url": "ftp://a/"},
            'notify.receivers[pager].url: got "ftp://a/", expected http://host:port/path or https://host:port/path',
        ),
        (
            {"url": "https://user:word@a/"},
            'notify.receivers[pager].url: got "https://***@a/", expected http://host:port/path or '
            "https://host:port/path",
        ),
        (
            {"url": "http://a\nb/\x9b"},
            'notify.receivers[pager].url: got "http://a\\nb/\\x9b", expected http://host:port/path or '
            "https://host:port/path",
        ),
        (
            {"url": "http://a b/"},
            'notify.receivers[pager].url: got "http://a b/", expected http://host:port/path or https://host:port/path',
        ),
        (
            {"format": "xml"},
            'notify.receivers[pager].format: got "xml", expected one of native, alertmanager, other',
        ),
        (
            {"format": "alertmanager"},
            "notify.receivers[pager]: the URL of an Alertmanager ends in /api/v2/alerts",
        ),
        (
            {"hosts": ("*.example.com", "10.0.0.1")},
            "notify.receivers[pager]: the host hooks.example.org is not one of notify.hosts (*.example.com, 10.0.0.1)",
        ),
        (
            {"networks": ("10.0.0.0/33",)},
            'notify.networks: got "10.0.0.0/33", expected a network as 10.0.0.0/8 or fd00::/8',
        ),
        (
            {"link": "sonar"},
            'notify.link: got "sonar", expected http://host:port/path or https://host:port/path',
        ),
        (
            {"link": "https://user:" + 100 * "word" + "@a/"},
            'notify.link: got "https://***@a/", expected http://host:port/path or https://host:port/path',
        ),
        (
            {"secret_file": "/nowhere"},
            "notify.receivers[pager].secret_file: /nowhere cannot be used: No such file or directory",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(options(**{"url": URL, **more}), {"other": lambda notice: None})
    assert str(refused.value) == sentence


def test_networks_cannot_hold_through_a_proxy() -> None:
    environ = {"HTTPS_PROXY": "proxy.example:3128", "HTTP_PROXY": "proxy.example:3128"}
    limited = options(URL, networks=("10.0.0.0/8",))
    with pytest.raises(ConfigError, match=r"notify\.receivers\[pager\]: is reached through a proxy"):
        configured(limited, {}, Proxies(environ))
    (straight,) = configured(limited, {}, Proxies({**environ, "NO_PROXY": "*"}))
    assert straight.proxy is None
    (proxied,) = configured(options(URL), {}, Proxies(environ))
    assert proxied.proxy is not None


def test_a_url_that_is_a_secret_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("https://hooks.example.org/T0P/SECRET\n")
    (own,) = configured(options("", url_file=str(file)), {})
    assert own.url.target == "/T0P/SECRET"
    file.write_text("hooks.example.org/T0P/SECRET")
    with pytest.raises(ConfigError) as refused:
        configured(options("", url_file=str(file)), {})
    assert "SECRET" not in str(refused.value)


def test_a_token_cannot_break_out_of_its_header(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("let me in")
    with pytest.raises(ConfigError, match="a token has no spaces"):
        configured(options(URL, token_file=str(file)), {})


def test_two_receivers_have_two_names() -> None:
    own = ReceiverOptions(name="a", url=URL)
    with pytest.raises(ConfigError, match="two of them have the name a"):
        configured(NotifyOptions(receivers=(own, own)), {})

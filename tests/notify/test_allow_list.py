import pytest

from kubesonar.config import ConfigError
from kubesonar.notify.allow_list import address_allowed, host_allowed, network


@pytest.mark.parametrize(
    ("host", "patterns", "allowed"),
    [
        ("hooks.example.org", ["hooks.example.org"], True),
        ("HOOKS.example.org.", ["hooks.Example.org"], True),
        ("hooks.example.org", ["*.example.org"], True),
        ("example.org", ["*.example.org"], False),
        ("evilexample.org", ["*.example.org"], False),
        ("hooks.example.org", [], False),
        ("10.0.0.1", ["*.0.0.1"], False),
        ("fd00::1", ["fd00::1"], True),
    ],
)
def test_hosts(host: str, patterns: list[str], allowed: bool) -> None:
    assert host_allowed(host, patterns) is allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("11.0.0.0", False),
        ("169.254.169.254", False),
        ("fd00:1::5", True),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:11.0.0.1", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
    ],
)
def test_networks(address: str, allowed: bool) -> None:
    networks = [network("x", text) for text in ("10.0.0.0/8", "fd00::/8", "192.0.2.7")]
    assert address_allowed(address, networks) is allowed


@pytest.mark.parametrize("text", ["", "10.0.0.0/", "10.0.0.0/-1", "10/8", "fd00::/129", "a.b/8", "10.0.0.0/x"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a network as"):
        network("x", text)

from __future__ import annotations

import pytest

from kubesonar.net.own_addresses import is_own, loopback_of, without_missing_ipv6


def test_an_address_of_this_machine_is_its_own() -> None:
    assert is_own("127.0.0.1")


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77", "", "x", "node-1", "127.0.0.1\0"])
def test_any_other_is_not(address: str) -> None:
    assert not is_own(address)


def test_what_listens_on_every_address_reaches_itself_on_loopback() -> None:
    assert [loopback_of(host) for host in ("0.0.0.0", "::", "192.0.2.1")] == ["127.0.0.1", "::1", "192.0.2.1"]


def test_addresses_of_ipv4_stay() -> None:
    assert without_missing_ipv6(("192.0.2.1", "0.0.0.0")) == ["192.0.2.1", "0.0.0.0"]

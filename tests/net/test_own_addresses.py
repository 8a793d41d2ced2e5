from __future__ import annotations

import pytest

from kubesonar.net.own_addresses import is_own


def test_an_address_of_this_machine_is_its_own() -> None:
    assert is_own("127.0.0.1")


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77", "", "x", "node-1", "127.0.0.1\0"])
def test_any_other_is_not(address: str) -> None:
    assert not is_own(address)

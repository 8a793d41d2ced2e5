"""Types of argparse's arguments."""

from __future__ import annotations

import argparse

import pytest

from kubesonar.config.arguments import port_argument


def test_a_port_is_read() -> None:
    assert (port_argument("53"), port_argument("65535")) == (53, 65_535)


@pytest.mark.parametrize("text", ["0", "65536", "-53", "53 ", "domain", "9" * 5000])
def test_what_is_no_port_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r'^got ".{1,20}", expected a port from 1 to 65535\Z'):
        port_argument(text)

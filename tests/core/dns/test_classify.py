"""Mnemonics, as operators write and read them."""

from __future__ import annotations

from kubesonar.core.dns.classify import rcode_name, type_name


def test_numbers_without_a_name_are_written_as_numbers() -> None:
    assert [rcode_name(0), rcode_name(3), rcode_name(23)] == ["NOERROR", "NXDOMAIN", "RCODE23"]
    assert [type_name(28), type_name(65)] == ["AAAA", "TYPE65"]

"""A resolver's file, read."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.core.probing.resolv_conf import ResolvConf
from kubesonar.net.dns.resolver_file import read_resolv_conf


def test_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_bytes(b"nameserver 10.0.0.2\nsearch a.example \xff\noptions ndots:2\n")
    assert read_resolv_conf(str(file)) == ResolvConf(("10.0.0.2",), ("a.example",), 2)


def test_what_is_not_there_or_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    with pytest.raises(FileNotFoundError):
        read_resolv_conf(str(file))
    file.write_text("search" + " a.example" * 10_000)
    with pytest.raises(ValueError, match="larger than 65536 bytes"):
        read_resolv_conf(str(file))

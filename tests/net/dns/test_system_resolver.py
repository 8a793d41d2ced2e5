from __future__ import annotations

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from tests.net.rig import run


async def _resolve(host: str, family: int = 0, timeout: float = 5) -> list[str]:
    resolver = Resolver()
    with Deadline(timeout) as deadline:
        return await resolver.resolve(host, deadline, family)


@pytest.mark.parametrize("literal", ["127.0.0.1", "::1", "fe80::1%lo"])
def test_a_literal_needs_no_look_up(literal: str) -> None:
    assert run(_resolve(literal)) == [literal]


def test_a_name_of_this_machine() -> None:
    assert run(_resolve("localhost", 4)) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["no such host", "a" * 70 + ".example", "a\0b", "..", ""])
def test_what_is_no_name_is_unresolved(host: str) -> None:
    with pytest.raises(Failed) as failed:
        run(_resolve(host))
    assert failed.value.fault is Fault.UNRESOLVED

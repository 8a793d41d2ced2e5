"""A plan on a command line."""

from __future__ import annotations

import base64
import zlib

import pytest

from kubesonar.core.dns_check.questions import AskedServer, AskPlan, DnsNames, ServerRole, usual_asks
from kubesonar.doctor.packed_plan import PLAN_LIMIT, pack_plan, unpack_plan

NAMES = DnsNames(domain="cluster.local", vips=("10.96.0.10",), headless="a.b", large="a.b", outside="example.com")
PLAN = AskPlan(
    tuple(AskedServer(f"coredns-7d8f-{n:05}", ServerRole.POD, f"10.1.{n}.7", node=f"node-{n}") for n in range(40)),
    usual_asks(NAMES),
)


def test_it_comes_back_as_it_was_and_fits_into_a_url() -> None:
    assert unpack_plan(pack_plan(PLAN)) == PLAN
    assert len(pack_plan(PLAN)) < 4000  # proxies take 8 KiB for a line of a request


@pytest.mark.parametrize(
    "data", [b"", b"{}", zlib.compress(b"{}"), zlib.compress(b"x" * (PLAN_LIMIT + 1)), zlib.compress(b"[]")[:-3]]
)
def test_what_is_no_plan(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack_plan(base64.urlsafe_b64encode(data).decode())


def test_a_name_that_is_too_long_with_its_label_is_refused() -> None:
    long = DnsNames(domain=".".join(["x" * 45] * 5))
    with pytest.raises(ValueError, match="at most 255 bytes"):
        unpack_plan(pack_plan(AskPlan((), usual_asks(long))))


@pytest.mark.parametrize("text", ["nonsense!", "é", " "])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(ValueError):
        unpack_plan(text)

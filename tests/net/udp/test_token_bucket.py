"""Tokens never exceed burst and rate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubesonar.net.udp.token_bucket import TokenBuckets


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), max_size=60))
def test_a_bucket_never_grants_more_than_burst_and_rate(asked: list[tuple[int, float]]) -> None:
    buckets, now = TokenBuckets(rate=2, burst=3, limit=4), 0.0
    granted: list[float] = []
    for address, wait in asked:
        now += wait
        if buckets.take(str(address % 2), now) and address % 2 == 0:
            granted.append(now)
    assert len(granted) <= 3 + 2 * now
    assert len(buckets) <= 4


def test_addresses_remembered_are_bounded() -> None:
    buckets = TokenBuckets(rate=1, burst=1, limit=2)
    assert [buckets.take(address, 0.0) for address in "abcab"] == [True] * 5
    assert not buckets.take("b", 0.0)
    assert len(buckets) == 2

"""What a link takes is learned from refusals, and forgotten after a while."""

from __future__ import annotations

from kubesonar.net.udp.link_sizes import LINK_MEMORY, LinkSizes


def unrouted(_address: str) -> int:
    """A routing table that says nothing of sizes."""
    return 0


def test_a_route_that_says_how_big_packets_may_be_is_heeded_and_asked_again_after_a_while() -> None:
    said = [1450, 1400]
    sizes = LinkSizes(1500, lambda _address: said.pop(0))
    assert [sizes.payload("10.0.0.1", 4, now) for now in (0.0, LINK_MEMORY - 1, LINK_MEMORY)] == [1422, 1422, 1372]
    assert LinkSizes(1400, lambda _address: 9000).payload("10.0.0.1", 4, 0.0) == 1372


def test_the_ceiling_is_tried_until_the_link_refuses_it() -> None:
    sizes = LinkSizes(9000, unrouted)
    assert (sizes.payload("10.0.0.1", 4, 0.0), sizes.payload("fd00::1", 6, 0.0)) == (8972, 8952)
    assert sizes.refused("10.0.0.1", 1500, 0.0)
    assert sizes.payload("10.0.0.1", 4, 1.0) == 1472
    assert sizes.payload("10.0.0.2", 4, 1.0) == 8972


def test_a_link_that_takes_more_is_found_out_again() -> None:
    sizes = LinkSizes(9000, unrouted)
    assert sizes.refused("10.0.0.1", 1500, 0.0)
    assert sizes.payload("10.0.0.1", 4, LINK_MEMORY - 1) == 1472
    assert sizes.payload("10.0.0.1", 4, LINK_MEMORY) == 8972


def test_a_refusal_that_names_no_smaller_size_is_no_news() -> None:
    sizes = LinkSizes(1500, unrouted)
    assert not sizes.refused("10.0.0.1", 0, 0.0)
    assert not sizes.refused("10.0.0.1", 1500, 0.0)
    assert sizes.refused("10.0.0.1", 1400, 0.0)
    assert not sizes.refused("10.0.0.1", 1400, 1.0)


def test_the_memory_is_bounded() -> None:
    sizes = LinkSizes(9000, unrouted)
    for number in range(20_000):
        sizes.refused(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1500, 0.0)
    assert sizes.payload("10.0.0.0", 4, 1.0) == 8972
    assert sizes.payload("10.0.78.31", 4, 1.0) == 1472

from __future__ import annotations

from kubesonar.core.diagnosis.evidence import Ages
from kubesonar.core.diagnosis.joining.pair_index import PairIndex
from kubesonar.core.diagnosis.joining.past_loss import Pair
from kubesonar.core.diagnosis.joining.sieve import Sieve
from kubesonar.core.diagnosis.joining.sifted_source import SiftedSources
from kubesonar.core.diagnosis.population import standing
from tests.core.mesh import Mesh


def index() -> tuple[Sieve, PairIndex]:
    who = standing(*Mesh(4, seed=1).run(5).snapshots(5))
    sieve = Sieve(who, Ages(10.0, 60.0), SiftedSources())
    return sieve, PairIndex(who, sieve, {})


def touches(pair: Pair, node: str) -> bool:
    return any(end.startswith(f"{node}-") for end in pair)


def test_a_node_is_crossed_by_what_its_members_ask_and_by_what_asks_them() -> None:
    sieve, pairs = index()
    assert set(pairs.near(["node-2"])) == {pair for pair in sieve.pairs() if touches(pair, "node-2")}
    assert pairs.near(["node-2"]) == pairs.near(["node-1", "node-2"]) == [], "all that crosses it is known"


def test_two_nodes_are_crossed_by_what_goes_between_them_only() -> None:
    sieve, pairs = index()
    between = {pair for pair in sieve.pairs() if touches(pair, "node-1") and touches(pair, "node-2")}
    assert set(pairs.near(["node-1", "node-2"])) == between


def test_a_plain_target_is_crossed_by_what_asks_it_and_dns_by_what_asks_plain_targets() -> None:
    sieve, pairs = index()
    assert set(pairs.near(["a", "api"])) == {pair for pair in sieve.pairs() if pair[1] == "api"}
    assert {target for _, target in pairs.near(["dns-service"])} == {"api", "ingress", "dns-1", "dns-2"}


def test_zones_are_crossed_by_everything() -> None:
    sieve, pairs = index()
    assert set(pairs.near(["a", "b"])) == {*sieve.pairs()}

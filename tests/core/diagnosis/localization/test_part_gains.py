from __future__ import annotations

from collections.abc import Iterator

import pytest

from kubesonar.core.diagnosis.inference.likelihood import Fit
from kubesonar.core.diagnosis.inference.suspects import SuspectKey
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.localization.part_gains import BESIDE_A_WAY, PartGains
from kubesonar.core.diagnosis.localization.trials import SearchedTrials
from kubesonar.core.diagnosis.parts.table import PARTS
from tests.core.mesh import Mesh

MARGIN = 16.0


def searched() -> tuple[SearchedTrials, PartGains]:
    """A mesh in which a node and a way between two others lose packets, and what its parts explain."""
    mesh = Mesh(nodes=4, seed=3).drop("node-1", "*", 0.3).drop("node-2", "node-3", 0.3)
    trials = SearchedTrials(basis(*mesh.run(30).snapshots(30)).evidence, lambda cell: True)
    gains = PartGains(trials, ())
    gains.look_at(len(trials.ages.edges))
    return trials, gains


def best(gains: PartGains) -> SuspectKey:
    key = gains.best(MARGIN)
    assert key is not None
    return key


def of_all(trials: SearchedTrials, gains: PartGains) -> Iterator[tuple[SuspectKey, Fit]]:
    keys = {key for index in trials.sick for key in trials.incidence.keys(index)}
    return ((key, gains.fit(key)) for key in sorted(keys))


def test_the_best_part_is_the_one_that_explains_most() -> None:
    trials, gains = searched()
    key = best(gains)
    nets = {other: found.past - gains.penalty(other) for other, found in of_all(trials, gains)}
    assert nets[key] == max(nets.values())


@pytest.mark.parametrize("way", ["node-1>node-4", "node-4>node-1"])
def test_beside_a_way_it_is_likelier_that_either_end_gets_no_answer_from_a_plain_target(way: str) -> None:
    trials, gains = searched()
    keys = {key for index in trials.sick for key in trials.incidence.keys(index)}
    plain = [key for key in keys if PARTS[key[0]].variant == "plain" and key[1].startswith("node-1>")]
    before = {key: gains.penalty(key) for key in plain}
    gains.take(next(key for key in keys if PARTS[key[0]].name == "pair" and key[1] == way), 0.3)
    assert {gains.penalty(key) for key in plain} == {BESIDE_A_WAY}
    assert min(before.values()) > BESIDE_A_WAY


def test_peers_of_a_node_to_which_all_is_well_are_peers_that_show_it() -> None:
    """Of these nothing is looked at before the node itself is."""
    mesh = Mesh(nodes=6, seed=1, plain=()).drop("node-1", "node-2", 1.0).drop("node-1", "node-3", 0.3).run(30)
    evidence = basis(*mesh.snapshots(30)).evidence
    trials = SearchedTrials(evidence, lambda cell: True)
    gains = PartGains(trials, ())
    gains.look_at(len(evidence.ages.edges))
    key = {PARTS[row].name: (row, subject) for index in trials.sick for row, subject in trials.incidence.keys(index)}
    before = gains.penalty((key["node_out"][0], "node-1"))
    gains.take((key["pair"][0], "node-1>node-2"), 0.999)
    assert gains.penalty((key["node_out"][0], "node-1")) == before


def test_what_is_supposed_holds_as_long_as_it_is_supposed() -> None:
    trials, gains = searched()
    before = dict(of_all(trials, gains))
    first = best(gains)
    with gains.supposed(first, gains.fit(first)):
        second = best(gains)
        with gains.supposed(second, gains.fit(second)):
            assert gains.best(MARGIN) not in (first, second)
        assert best(gains) == second
    assert dict(of_all(trials, gains)) == before
    assert best(gains) == first != second


def test_what_is_supposed_again_explains_the_same_as_what_is_expected_from_now_on() -> None:
    trials, gains = searched()
    first = best(gains)
    found = gains.fit(first)
    supposed = []
    for _ in range(2):
        with gains.supposed(first, found):
            supposed.append(dict(of_all(trials, gains)))
    for index, load in trials.incidence.crossings(first):
        trials.expect(first, found, None, index, load, found.bins)
        gains.touch(index)
    gains.rank()
    assert supposed == [dict(of_all(trials, gains))] * 2


@pytest.mark.parametrize("looked_at", [False, True])
def test_what_is_forgotten_explains_nothing(looked_at: bool) -> None:
    trials, gains = searched()
    if looked_at:
        best(gains)
    for index, belief in enumerate(trials.beliefs):
        gains.forget(index, 0, len(belief.total))
    gains.rank()
    assert gains.best(0.0) is None

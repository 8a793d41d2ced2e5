"""Whether all agents know a key, in one sentence."""

from __future__ import annotations

import pytest

from kubesonar.core.telemetry.key_agreement import key_agreement
from kubesonar.model import Member, Snapshot
from tests.core.snapshots import snapshot_of


def agent(name: str, *keys: int) -> Snapshot:
    return snapshot_of(Member(name, f"node-{name}", (), 7473), keys=keys)


@pytest.mark.parametrize(
    ("keys", "question", "agreed", "sentence"),
    [
        ([(1,), (1,)], {}, True, "all agents know key 1 and sign with 1 (2 of 2)"),
        ([(1, 2), (1, 2)], {}, True, "all agents know keys 1, 2 and sign with 1 (2 of 2)"),
        ([(1, 2), (2, 1)], {}, False, "1 know keys 1, 2 and sign with 1: a; 1 know keys 1, 2 and sign with 2: b"),
        ([(1, 2), (2, 1)], {"know": 2}, True, "all agents know key 2 (2 of 2)"),
        ([(1, 2), (1,)], {"know": 2}, False, "1 of 2 agents do not know key 2: b"),
        ([(1, 2), (2, 1)], {"sign": 2}, False, "1 of 2 agents do not sign with key 2: a"),
        ([(2, 1), (2,)], {"know": 1, "sign": 2}, False, "1 of 2 agents do not know key 1: b"),
        ([(2, 1), (2, 1)], {"know": 1, "sign": 2}, True, "all agents know key 1 and sign with key 2 (2 of 2)"),
        ([(0,), (0,)], {}, True, "all agents use no keys (2 of 2)"),
        ([(0,), (0,)], {"know": 1}, False, "2 of 2 agents do not know key 1: a, b"),
        ([(1,), ()], {}, False, "1 of 2 agents do not tell their keys: b"),
        ([(1,), ()], {"know": 1}, False, "1 of 2 agents do not know key 1: b"),
        ([], {}, False, "no agent answers"),
        ([(9,)] * 7, {"know": 8}, False, "7 of 7 agents do not know key 8: a, b, c, d, e and 2 more"),
    ],
)
def test_the_sentence(keys: list[tuple[int, ...]], question: dict[str, int], agreed: bool, sentence: str) -> None:
    agents = [agent(name, *held) for name, held in zip("abcdefg", keys, strict=False)]
    agreement = key_agreement(agents, {}, **question)
    assert (agreement.agreed, agreement.sentence) == (agreed, sentence)


def test_who_could_not_be_asked_keeps_the_answer_open() -> None:
    agreement = key_agreement([agent("b", 1, 2), agent("a", 2, 1)], {"c": "timed out"}, know=2)
    assert not agreement.agreed
    assert agreement.sentence == "all agents know key 2 (2 of 2); not known of c"
    assert [(one.member, one.knows, one.signs) for one in agreement.agents] == [("a", (1, 2), 2), ("b", (1, 2), 1)]

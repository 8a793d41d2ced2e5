from kubesonar.core.notices import ID_DIGITS, notice_id
from kubesonar.model import Condition


def test_every_coordinator_derives_the_same_id() -> None:
    assert notice_id("node-1-pod", 17, Condition.DEAD) == notice_id("node-1-pod", 17, Condition.DEAD)
    assert notice_id("node-1-pod", 17, Condition.DEAD) == "d2f2d3846a38ffae65d82922fe80abab"


def test_what_differs_has_another_id() -> None:
    ids = [
        notice_id("a", 1, Condition.DEAD),
        notice_id("b", 1, Condition.DEAD),
        notice_id("a", 2, Condition.DEAD),
        notice_id("a", 1, Condition.BACK),
        notice_id("a", 1, Condition.DEAD, turn=1),
        notice_id("a 1", 1, Condition.DEAD),
        notice_id("\ud800", 1, Condition.DEAD),
    ]
    assert len(set(ids)) == len(ids)
    assert {len(id) for id in ids} == {ID_DIGITS}

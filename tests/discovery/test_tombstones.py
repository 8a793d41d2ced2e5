from kubesonar.discovery.tombstones import Tombstones
from kubesonar.model import Member, State

A = Member("a", "n1", ("10.0.0.1",), 7473)
B = Member("b", "n2", ("10.0.0.2",), 7473, state=State.ROLLING, reason="its DaemonSet replaces it")


def test_a_member_that_left_stands_as_deleted_without_an_address_and_then_is_forgotten() -> None:
    departed = Tombstones(60)
    assert departed.step(0, [B, A]) == (A, B)
    assert departed.due is None
    one, other = departed.step(10, [A])
    assert one == A
    assert (other.name, other.state, other.addresses) == ("b", State.DELETED, ())
    assert other.reason == "its DaemonSet replaces it"
    assert departed.due == 70
    assert len(departed.step(69, [A])) == 2
    assert departed.step(70, [A]) == (A,)


def test_one_that_comes_back_is_there_again() -> None:
    departed = Tombstones(60)
    departed.step(0, [A])
    assert departed.step(1, [])[0].state is State.DELETED
    assert departed.step(2, [A]) == (A,)
    assert departed.due is None


def test_reasons_that_the_source_knows_go_before() -> None:
    departed = Tombstones(60)
    departed.step(0, [A, B])
    reasons = [member.reason for member in departed.step(1, [], {"a": "its pod has failed: Evicted"})]
    assert reasons == ["its pod has failed: Evicted", "its DaemonSet replaces it"]


def test_no_more_are_remembered_than_the_bound() -> None:
    departed = Tombstones(60, limit=2)
    departed.step(0, [A, B])
    departed.step(1, [A])
    departed.step(2, [Member("c", "n3", ("10.0.0.3",), 7473)])
    assert [member.name for member in departed.step(3, [])] == ["a", "c"]

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubesonar.core.membership.events import Announce, Apart, Assembled, Doubted
from kubesonar.core.membership.member_view import by_identity
from kubesonar.core.membership.messages import Reachability, Seen
from kubesonar.core.membership.notices import ID_DIGITS, announced, assembled, doubted, notice_id
from kubesonar.model import Condition, Member, Network, Roster, State

ME = Member("a", "node-a", ("10.0.0.1",), 7473, epoch=5)
ROSTER = Roster(
    "1",
    (
        ME,
        Member("b", "node-b", ("10.0.0.2",), 7473),
        Member("c", "c", ("10.0.0.3",), 7473),
        Member("h", "node-h", ("192.0.2.1",), 7473, network=Network.HOST),
        Member("x", "node-x", (), 7473, state=State.DELETED),
    ),
)


def test_every_coordinator_derives_the_same_id() -> None:
    assert notice_id("node-1-pod", 17, Condition.DEAD) == notice_id("node-1-pod", 17, Condition.DEAD)
    assert notice_id("node-1-pod", 17, Condition.DEAD) == "d2f2d3846a38ffae65d82922fe80abab"


def test_what_differs_has_another_id() -> None:
    ids = [
        notice_id("a", 1, Condition.DEAD),
        notice_id("b", 1, Condition.DEAD),
        notice_id("a", 2, Condition.DEAD),
        notice_id("a", 1, Condition.BACK),
        notice_id("a", 1, Condition.DEAD, incarnation=1),
        notice_id("a 1", 1, Condition.DEAD),
        notice_id("\ud800", 1, Condition.DEAD),
    ]
    assert len(set(ids)) == len(ids)
    assert {len(id) for id in ids} == {ID_DIGITS}


B, C = "node-b/pod/7473", "c/pod/7473"


MEMBERS = by_identity(ROSTER.members)


def _announce(what: Condition, member: str = B, *witnesses: Seen) -> Announce:
    return Announce("id", member, 7, 0, what, 2.5, witnesses)


def test_a_death_says_who_where_since_when_and_who_saw_it() -> None:
    notice = announced(_announce(Condition.DEAD, B, Seen(C, Reachability.SILENT)), MEMBERS, "a", 100.0)
    assert notice is not None
    assert notice.sentence == (
        "b on node-b is dead: neither it nor its host answers anybody, silent for 2.5 s; confirmed by c"
    )
    assert (notice.id, notice.subject, notice.node, notice.epoch, notice.since) == ("id", "b", "node-b", 7, 97.5)
    assert (notice.evidence, notice.coordinator) == (("c got no answer from its host",), "a")


def test_a_death_says_what_kubernetes_says_of_the_node() -> None:
    def sentence(**changes: Any) -> str:
        unready = msgspec.structs.replace(ROSTER.members[1], state=State.NOT_READY, **changes)
        notice = announced(_announce(Condition.DEAD), by_identity([unready]), "a", 100.0)
        assert notice is not None
        return notice.sentence

    assert sentence().endswith(", silent for 2.5 s; Kubernetes calls node-b NotReady")
    assert sentence(since=90.0, reason="PLEG").endswith("; Kubernetes calls node-b NotReady for 10 s: PLEG")


def test_who_is_gone_as_another_has_its_address_is_told_so() -> None:
    notice = announced(_announce(Condition.GONE, B, Seen(C, Reachability.STRANGER)), MEMBERS, "a", 100.0)
    assert notice is not None
    assert notice.sentence.startswith("somebody else answers at 10.0.0.2: the agent b on node-b is gone, silent for")
    assert notice.evidence == ("c was answered by another member at its address",)


def test_a_return_has_no_beginning() -> None:
    notice = announced(_announce(Condition.BACK, C), MEMBERS, "a", 100.0)
    assert notice is not None
    assert (notice.sentence, notice.since, notice.evidence) == ("c is back", None, ())


def test_who_left_is_told_from_who_is_back() -> None:
    notice = announced(_announce(Condition.LEFT, C), MEMBERS, "a", 100.0)
    assert notice is not None
    assert (notice.sentence, notice.since) == ("c left: no roster names it any more", None)


def test_witnesses_that_the_roster_does_not_name_are_not_repeated() -> None:
    made_up = Seen("\x1b[2Jcall +1 555 at once\n", Reachability.SILENT)
    notice = announced(_announce(Condition.GONE, B, made_up, Seen(C, Reachability.REFUSED)), MEMBERS, "a", 100.0)
    assert notice is not None
    assert "555" not in notice.sentence + "".join(notice.evidence)
    assert notice.evidence == ("c was refused by its host",)


def test_of_who_is_in_the_roster_no_more_nothing_is_told() -> None:
    assert announced(_announce(Condition.DEAD, "z"), MEMBERS, "a", 100.0) is None


def test_after_an_election_those_that_are_not_heard_are_named() -> None:
    notice = assembled(Assembled((B,), 4), ME, ROSTER, 100.0)
    assert notice.sentence == "a coordinates and hears 2 of 4 members, itself included; not c, h"


@pytest.mark.parametrize(("reached", "few"), [(0, "none"), (1, "only 1")])
def test_a_network_that_elects_its_own_coordinator_is_named_with_the_reason(reached: int, few: str) -> None:
    notice = assembled(Assembled((B,), 3, (Apart(Network.HOST, reached, 7),)), ME, ROSTER, 100.0)
    assert notice.sentence == (
        "a coordinates and hears 2 of 3 members, itself included; not c"
        f"; {few} of the 7 agents of the host network answer it, so that they elect their own"
    )


HOST = Member("b-host", "node-b", ("192.0.2.2",), 7474, network=Network.HOST)
WITH_HOST = by_identity([*ROSTER.members, HOST])


@pytest.mark.parametrize(
    ("what", "begin"),
    [
        (Condition.DEAD, "node-b is dead: nothing on it answers anybody, neither of its agents b-host and b, silent"),
        (Condition.GONE, "the agents of node-b are gone: its host refuses the ports of b-host and b, silent"),
        (Condition.FROZEN, "the agents of node-b are frozen: its host answers, b-host and b do not, silent"),
        (Condition.BACK, "node-b is back: b-host and b"),
        (Condition.LEFT, "node-b left: no roster names its agents any more"),
    ],
)
def test_what_befalls_all_agents_of_a_node_is_told_of_the_node(what: Condition, begin: str) -> None:
    action = Announce("id", HOST.identity, 7, 0, what, 2.5, (), (B,), "node-b")
    notice = announced(action, WITH_HOST, "a", 100.0)
    assert notice is not None
    assert notice.sentence.startswith(begin)
    assert (notice.subject, notice.component, notice.members) == ("node-b", "node", ("b-host", "b"))


def test_a_dead_pod_network_is_told_from_a_dead_node() -> None:
    action = Announce("id", B, 7, 0, Condition.DEAD, 2.5, (), answering=(HOST.identity,))
    notice = announced(action, WITH_HOST, "a", 100.0)
    assert notice is not None
    assert notice.sentence == (
        "the pod network of node-b is dead: nobody reaches b, while b-host still answers, silent for 2.5 s"
    )
    assert (notice.subject, notice.component) == ("b", "member")


def test_a_doubt_that_lasts_names_the_nodes() -> None:
    lasting = doubted(Doubted(Condition.SUSPECT, 4, 9, 61.0, ("n1", "n2", "n3")), ME, 100.0)
    assert lasting.sentence.endswith("tells of nobody's death, for 61 s now: n1, n2, n3 and 1 more")


def test_a_doubt_is_about_the_coordinator_itself() -> None:
    notice = doubted(Doubted(Condition.MINORITY, 1, 3), ME, 100.0)
    assert (notice.subject, notice.epoch, notice.since) == ("a", 5, 100.0)
    assert notice.sentence == "a hears only 1 of 3 members, no majority: it tells of nobody's death"

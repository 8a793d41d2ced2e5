"""One roster is ahead of the others, behind them, or wrong."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubesonar.core.diagnosis.roster_agreement import RosterAgreement, agree_on_members
from kubesonar.core.diagnosis.verdict import judge
from kubesonar.core.excuses import GOODBYE_LAG, ROSTER_LAG
from kubesonar.model import Health, Member, Network, Roster, Snapshot, State
from tests.core.mesh import START, Mesh

NOW = 2_000_000.0
ALL = tuple(Member(f"m{number}", f"n{number}", (f"10.0.0.{number}",), 7473) for number in range(1, 6))


def with_state(name: str, state: State, since: float = 0.0, members: tuple[Member, ...] = ALL) -> tuple[Member, ...]:
    return tuple(replace(m, state=state, since=since, reason="drill") if m.name == name else m for m in members)


def agreed(*rosters: tuple[Member, ...], offset: float = 0.0) -> RosterAgreement:
    by_reader = {f"m{number}": Roster(str(number), members) for number, members in enumerate(rosters, 1)}
    return agree_on_members(by_reader, dict.fromkeys(by_reader, offset), NOW)


EXCUSES = [State.DELETED, State.DRAINING, State.CORDONED, State.ROLLING, State.UNSUPPORTED]


@pytest.mark.parametrize("state", EXCUSES)
def test_one_rosters_word_excuses_for_as_long_as_rosters_may_lag(state: State) -> None:
    others = [ALL] * 4
    young = agreed(*others, with_state("m3", state, NOW - ROSTER_LAG + 1))
    assert young.excused == {"m3": f"m3 {state.value}: drill (1 of 5 rosters say so)"}
    assert young.members["m3"].state is state
    assert young.disagreements == ()
    old = agreed(*others, with_state("m3", state, NOW - ROSTER_LAG - 1))
    assert old.excused == {}
    assert old.members["m3"].state is State.SERVING
    assert old.disagreements == (f"rosters disagree about m3: {state.value} in 1 (as that of m5), expected in 4 of 5",)


@pytest.mark.parametrize("since", [0.0, NOW - 1000, NOW - 1])
def test_what_most_rosters_say_excuses_for_as_long_as_they_say_it(since: float) -> None:
    found = agreed(ALL, ALL, *[with_state("m3", State.DRAINING, since)] * 3)
    assert found.excused == {"m3": "m3 draining: drill (3 of 5 rosters say so)"}
    assert agreed(*[with_state("m3", State.DRAINING, since)] * 5).excused == {"m3": "m3 draining: drill"}


def test_half_of_the_rosters_are_no_majority_against_a_member() -> None:
    assert agreed(ALL, with_state("m3", State.DRAINING, NOW - 100)).excused == {}


def test_a_date_by_a_clock_that_is_off_counts_by_ours() -> None:
    word = with_state("m3", State.DRAINING, NOW - 500)
    assert "m3" in agreed(ALL, ALL, word, offset=480.0).excused
    assert "m3" not in agreed(ALL, ALL, word, offset=-480.0).excused


def test_a_goodbye_excuses_for_longer_as_only_some_were_told() -> None:
    others = [ALL] * 4
    assert "m3" in agreed(*others, with_state("m3", State.LEAVING, NOW - GOODBYE_LAG + 1)).excused
    assert agreed(*others, with_state("m3", State.LEAVING, NOW - GOODBYE_LAG - 1)).excused == {}


@pytest.mark.parametrize("told", [1, 3, 4])
def test_a_goodbye_of_who_began_anew_excuses_no_more_though_only_some_heard_of_that(told: int) -> None:
    """An agent that is restarted in its place says goodbye to all that it speaks with, and is heard by fewer."""
    left = with_state("m3", State.LEAVING, NOW - 300)
    back = with_state("m3", State.SERVING, NOW - 290)
    assert agreed(*[left] * told, *[back] * (5 - told)).excused == {}
    never = with_state("m3", State.SERVING, NOW - 310)
    assert "m3" in agreed(*[left] * told, *[never] * (5 - told)).excused


def test_one_that_most_rosters_lack_is_not_expected_and_one_that_few_lack_is() -> None:
    without = tuple(member for member in ALL if member.name != "m3")
    assert agreed(ALL, *[without] * 4).excused == {"m3": "m3 is joining or leaving: not in every roster"}
    found = agreed(without, *[ALL] * 4)
    assert found.excused == {}
    assert found.disagreements == ("rosters disagree about m3: missing in 1, expected in 4 of 5",)


def test_one_that_has_just_joined_is_expected_when_rosters_had_their_time() -> None:
    without = tuple(member for member in ALL if member.name != "m3")
    joined = with_state("m3", State.SERVING, NOW - ROSTER_LAG + 1)
    assert "m3" in agreed(without, *[joined] * 4).excused
    one_knew_it_before = agreed(without, *[joined] * 3, ALL)
    assert one_knew_it_before.excused == {}


def test_one_roster_that_excuses_everybody_excuses_nobody() -> None:
    wrong = ALL
    for member in ALL:
        wrong = with_state(member.name, State.DELETED, NOW - 1, wrong)
    found = agreed(*[ALL] * 4, wrong)
    assert found.excused == {}
    assert set(found.members) == {member.name for member in ALL}
    assert all(member.state is State.SERVING for member in found.members.values())


def test_many_members_that_rosters_disagree_about_are_one_line() -> None:
    wrong = with_state("m4", State.DRAINING, NOW - 90, with_state("m3", State.DRAINING, NOW - 90))
    assert agreed(*[ALL] * 4, wrong).disagreements == (
        "rosters disagree about m3 and 1 more members: draining in 1 (as that of m5), expected in 4 of 5",
    )


def test_each_network_is_spoken_of_by_the_rosters_that_have_it() -> None:
    hosts = tuple(Member(f"h{n}", f"n{n}", (f"192.0.2.{n}",), 7474, Network.HOST) for n in range(1, 4))
    assert agreed(ALL, ALL, hosts).excused == {}


def test_rosters_that_know_no_states_do_not_outvote_those_that_do() -> None:
    """Most agents have members from DNS, one from Kubernetes."""
    by_dns = {f"m{number}": Roster("dns", ALL, lacks="zones and states are unknown") for number in range(1, 5)}
    drained = Roster("api", with_state("m3", State.DRAINING, NOW - 1000))
    rosters = {**by_dns, "m5": drained}
    found = agree_on_members(rosters, dict.fromkeys(rosters, 0.0), NOW)
    assert set(found.excused) == {"m3"} and found.disagreements == ()
    assert agree_on_members(by_dns, dict.fromkeys(by_dns, 0.0), NOW).excused == {}


def test_rosters_that_know_no_states_speak_of_a_network_that_no_other_names() -> None:
    hosts = tuple(Member(f"h{n}", f"n{n}", (f"192.0.2.{n}",), 7474, Network.HOST) for n in range(1, 4))
    rosters = {"m1": Roster("1", ALL), "h1": Roster("2", hosts, lacks="states are unknown")}
    assert agree_on_members(rosters, dict.fromkeys(rosters, 0.0), NOW).excused == {}


@pytest.mark.parametrize(
    ("age", "state"), [(5.0, State.DRAINING), (90.0, State.DRAINING), (5.0, State.DELETED), (90.0, State.DELETED)]
)
def test_a_dead_member_that_one_roster_excuses_is_told_after_a_minute(age: float, state: State) -> None:
    mesh = Mesh(nodes=4, seed=1).cut("node-3", 11.0).run(45)
    snapshots, unread, now = mesh.snapshots(45)
    unread |= {member.name: "no answer within 2 s" for member in mesh.members if member.node == "node-3"}

    def wrong(snapshot: Snapshot) -> Snapshot:
        members = tuple(
            replace(m, state=state, since=now - age) if m.node == "node-3" else m for m in snapshot.roster.members
        )
        return replace(snapshot, roster=Roster("laggard", members))

    told = [wrong(s) if s.member.name == "node-1-pod" else s for s in snapshots]
    verdict = judge(told, unread, now, lambda at: f"{at - START:.0f}")
    if age < ROSTER_LAG:
        assert verdict.findings == () and any("1 of" in line for line in verdict.states)
    else:
        right = judge(snapshots, unread, now, lambda at: f"{at - START:.0f}")
        assert verdict.verdict is Health.BAD
        assert verdict.sentence == right.sentence and verdict.findings[0].subject == "node-3"
        assert any(line.startswith("rosters disagree about node-3-") for line in verdict.unknown)

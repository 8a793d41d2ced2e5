"""The machine that decides on restarts of DNS pods, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from kubesonar.core.remedy.dns_round import DnsRound
from kubesonar.core.remedy.events import (
    Decision,
    Evicted,
    Eviction,
    Leading,
    NotLeading,
    PendingRestart,
    RemedyAction,
    RemedyMemory,
    RemedyReason,
    RemedyVerb,
    Remember,
    RestartOutcome,
)
from kubesonar.core.remedy.options import RemedyOptions, RepairMode
from kubesonar.core.remedy.remedy import SUCCESSOR_TIMEOUT, DnsRemedy
from tests.core.remedy.rounds import (
    DEAD,
    DEAF,
    WELL,
    WRONG,
    decisions_in,
    outcomes_in,
    pod,
    report_in,
    round_of,
    with_ways,
)

ON = RemedyOptions(repair=RepairMode.ON)
PODS = (pod(1), pod(2), pod(3))
SICK = round_of(PODS, {("*", "u1"): DEAF})
AFTER = (pod(4, running_for=20.0), pod(2), pod(3))


class Doctor:
    """A remedy that leads, asked every 5 s."""

    def __init__(self, options: RemedyOptions = ON, *, leading: bool = True) -> None:
        self.machine = DnsRemedy(options)
        self.now = 0.0
        self.outcomes: list[RestartOutcome] = []
        if leading:
            self.machine.step(0.0, Leading(RemedyMemory()))

    def see(self, found: DnsRound, seconds: float = 5.0) -> list[RemedyAction]:
        """What it does in the last round, where all rounds of so many seconds find the same."""
        actions: list[RemedyAction] = []
        for _ in range(max(1, round(seconds / 5))):
            self.now += 5
            actions = self.machine.step(self.now, found)
            self.outcomes += outcomes_in(actions)
        return actions

    def until_restart(self, found: DnsRound, seconds: float = 300.0) -> Decision | None:
        """The first restart within so many seconds, None for none."""
        end = self.now + seconds
        while self.now < end:
            for decision in decisions_in(self.see(found)):
                if decision.verb is RemedyVerb.RESTART:
                    return decision
        return None

    def reason_for(self, found: DnsRound, seconds: float = 300.0) -> RemedyReason:
        """The reason for which the first pod is not restarted in the last of so many seconds."""
        assert self.until_restart(found, seconds) is None
        return decisions_in(self.see(found))[0].reason


def test_a_pod_deaf_for_all_is_restarted_after_a_minute() -> None:
    doctor = Doctor()
    decision = doctor.until_restart(SICK)
    assert decision is not None
    assert (decision.uid, decision.reason, doctor.now) == ("u1", RemedyReason.SICK, 65.0)
    assert decision.sentence == (
        "restarting DNS pod coredns-1: it fails from 4 of 4 nodes for 60 s, and other DNS pods answer"
    )


def test_it_is_written_down_before_it_is_done() -> None:
    doctor = Doctor()
    doctor.see(SICK, 60)
    actions = doctor.see(SICK)
    assert [type(action).__name__ for action in actions] == ["Remember", "Decision", "RoundReport"]
    assert actions[0] == Remember(
        RemedyMemory((0.0,), 0, PendingRestart("u1", "coredns-1", 0.0, frozenset({"u1", "u2", "u3"})))
    )


def test_it_is_suggested_by_default_without_any_lease() -> None:
    doctor = Doctor(RemedyOptions(), leading=False)
    (decision,) = decisions_in(doctor.see(SICK, 70))
    assert (decision.verb, decision.sentence) == (
        RemedyVerb.SUGGEST,
        "DNS pod coredns-1 should be restarted: it fails from 4 of 4 nodes for 65 s, and other DNS pods answer",
    )


def test_off_decides_nothing_and_reports_all_the_same() -> None:
    actions = Doctor(RemedyOptions(repair=RepairMode.OFF)).see(SICK, 300)
    assert decisions_in(actions) == []
    assert report_in(actions).sick == ("coredns-1",)


def test_without_wait_it_takes_three_rounds_from_many_standpoints_and_from_one() -> None:
    options = replace(ON, after=0.0)
    doctor = Doctor(options)
    assert doctor.until_restart(SICK) is not None
    assert doctor.now == 15.0
    lone = Doctor(options)
    assert lone.until_restart(round_of(PODS, {("*", "u1"): DEAF}, nodes=1)) is not None
    assert lone.now == 15.0


def test_where_only_rounds_are_missing_the_next_one_is_wanted_soon() -> None:
    quick, slow = Doctor(replace(ON, after=0.0)), Doctor()
    for doctor in (quick, slow):
        doctor.see(SICK)
    assert (quick.machine.due, slow.machine.due) == (6.0, None)
    quick.see(SICK, 10)
    assert quick.machine.due is None


def sick(*changed: Any, replies: dict[Any, Any] | None = None, **more: Any) -> DnsRound:
    """A round in which the first pod is deaf, with these facts about it."""
    facts = changed[0] if changed else {}
    return round_of((pod(1, **facts), *PODS[1:]), replies or {("*", "u1"): DEAF}, **more)


REFUSALS = [
    (RemedyReason.PARTIAL, sick(replies={("n3", "u1"): DEAF, ("n4", "u1"): DEAF})),
    (RemedyReason.CUT_OFF, with_ways(sick({"node": "n9"}), dict.fromkeys(("n1", "n2", "n3", "n4"), False))),
    (RemedyReason.UNREACHED, sick({"node": "n9"}, replies={("*", "u1"): DEAD})),
    (RemedyReason.ROLLOUT, sick(planned=("a rollout of Deployment kube-system/coredns",))),
    (RemedyReason.PLANNED, sick({"planned": "its node is cordoned"})),
    (RemedyReason.PLANNED, sick({"deleting": True})),
    (RemedyReason.NODE, sick({"node_ready": False})),
    (RemedyReason.NOT_RUNNING, sick({"phase": "Pending"})),
    (RemedyReason.NO_OWNER, sick({"owner": ""})),
    (RemedyReason.TOO_YOUNG, sick({"running_for": 50.0})),
    (
        RemedyReason.LAST,
        sick(replies={("*", "u1"): DEAF, **{(f"n{node}", f"u{2 + node % 2}"): DEAF for node in (1, 2, 3, 4)}}),
    ),
    (RemedyReason.BRAKE, round_of(PODS, {("*", one.uid): (WRONG, WRONG) for one in PODS})),
    (RemedyReason.BRAKE, round_of([pod(n) for n in range(1, 6)], {("*", f"u{n}"): DEAF for n in (1, 2, 3)})),
]


@pytest.mark.parametrize(
    "reason, found", REFUSALS, ids=lambda value: value.value if isinstance(value, RemedyReason) else ""
)
def test_it_is_not_restarted_and_the_reason_is_told(reason: RemedyReason, found: DnsRound) -> None:
    assert Doctor().reason_for(found) is reason


def test_a_sick_upstream_a_dead_vip_or_a_cache_is_no_failing_pod() -> None:
    """What is asked of the Service or of outside names is no reply of a pod to a name of the cluster."""
    assert decisions_in(Doctor().see(round_of(PODS), 300)) == []


def test_a_fault_that_pauses_begins_anew() -> None:
    doctor = Doctor()
    doctor.see(SICK, 50)
    doctor.see(round_of(PODS))
    assert doctor.reason_for(SICK, 55) is RemedyReason.TOO_SHORT


def test_a_round_in_which_the_pod_answers_anybody_begins_anew_though_too_few_can_say() -> None:
    """The only DNS pod hears nobody but its own node by UDP, which now and then loses a question."""
    alone = (pod(1),)
    lost, usual = (round_of(alone, {("*", "u1"): DEAF, **own}) for own in ({}, {("n1", "u1"): WELL}))
    doctor = Doctor(replace(ON, after=0.0))
    for _ in range(10):
        assert not [one for one in decisions_in(doctor.see(lost)) if one.verb is RemedyVerb.RESTART]
        doctor.see(usual)


def test_the_time_of_a_rollout_does_not_count() -> None:
    doctor = Doctor()
    doctor.see(replace(SICK, planned=("a rollout of DaemonSet kube-system/cilium",)), 300)
    assert doctor.reason_for(SICK, 55) is RemedyReason.TOO_SHORT


def test_what_the_api_server_does_not_say_is_unknown() -> None:
    doctor = Doctor()
    doctor.see(SICK, 55)
    actions = doctor.see(DnsRound(pods=None))
    assert decisions_in(actions) == []
    assert "API server" in report_in(actions).sentence


def test_a_container_that_was_started_again_gets_its_time() -> None:
    doctor = Doctor()
    doctor.see(SICK, 40)
    assert doctor.reason_for(sick({"restarts": 1}), 55) is RemedyReason.TOO_YOUNG


def test_one_at_a_time_and_the_next_after_the_pause() -> None:
    doctor = Doctor()
    two = round_of([pod(n) for n in range(1, 6)], {("*", "u1"): DEAF, ("*", "u2"): DEAF})
    first = doctor.until_restart(two)
    assert first is not None
    assert [one.reason for one in decisions_in(doctor.see(two))] == [RemedyReason.PENDING, RemedyReason.PENDING]
    helped = round_of([pod(9), *(pod(n) for n in range(2, 6))], {("*", "u2"): DEAF})
    doctor.see(helped)
    assert [(one.name, one.helped) for one in doctor.outcomes] == [("coredns-1", True)]
    assert doctor.reason_for(helped, 500) is RemedyReason.BUDGET
    second = doctor.until_restart(helped)
    assert second is not None
    assert doctor.now - 65 == ON.pause


def test_all_dead_are_restarted_one_at_a_time() -> None:
    doctor = Doctor()
    decision = doctor.until_restart(round_of(PODS, {("*", one.uid): DEAF for one in PODS}))
    assert decision is not None
    assert decision.reason is RemedyReason.ALL_SICK


def test_those_that_kubernetes_holds_for_sick_too_come_first() -> None:
    pods = (pod(1), pod(2, ready=False), pod(3), pod(4), pod(5))
    decision = Doctor().until_restart(round_of(pods, {("*", "u1"): DEAF, ("*", "u2"): DEAF}))
    assert decision is not None
    assert decision.uid == "u2"


def replaced(number: int, deaf: bool = True) -> DnsRound:
    """The round after the first pod was replaced by that of this number."""
    return round_of((pod(number), *PODS[1:]), {("*", f"u{number}"): DEAF} if deaf else {})


def test_it_gives_up_when_restarts_do_not_help_and_forgives_when_all_is_well() -> None:
    doctor = Doctor()
    for number in (4, 5):
        assert doctor.until_restart(replaced(number - 1) if number > 4 else SICK, 700) is not None
        doctor.see(replaced(number), SUCCESSOR_TIMEOUT + 20)
    assert [one.helped for one in doctor.outcomes] == [False, False]
    assert doctor.reason_for(replaced(5), 4000) is RemedyReason.GIVEN_UP
    assert report_in(doctor.see(replaced(5))).given_up
    doctor.see(replaced(5, deaf=False), 620)
    assert doctor.until_restart(replaced(5)) is not None


def test_a_successor_that_falls_sick_again_did_not_help() -> None:
    doctor = Doctor()
    doctor.until_restart(SICK)
    doctor.see(replaced(4, deaf=False), 120)
    doctor.see(replaced(4))
    assert [one.helped for one in doctor.outcomes] == [True, False]


def test_while_no_successor_comes_nothing_else_is_restarted() -> None:
    doctor = Doctor()
    two = round_of([pod(n) for n in range(1, 6)], {("*", "u1"): DEAF, ("*", "u2"): DEAF})
    doctor.until_restart(two)
    without = round_of([pod(n) for n in range(2, 6)], {("*", "u2"): DEAF})
    assert doctor.reason_for(without, 7200) is RemedyReason.PENDING
    assert [one.sentence for one in doctor.outcomes] == ["no successor of coredns-1 came within 5 min"]


def test_a_pod_that_stays_after_its_eviction_is_waited_for_no_longer() -> None:
    doctor = Doctor()
    doctor.until_restart(SICK)
    doctor.see(SICK, SUCCESSOR_TIMEOUT + 10)
    assert "still there" in doctor.outcomes[0].sentence
    assert decisions_in(doctor.see(SICK))[0].reason is RemedyReason.BUDGET


@pytest.mark.parametrize(
    "eviction, again",
    [(Eviction.BLOCKED, 15.0), (Eviction.NOT_TRIED, 15.0), (Eviction.GONE, 15.0), (Eviction.REFUSED, 600.0)],
)
def test_what_was_not_done_costs_no_budget_and_is_tried_again(eviction: Eviction, again: float) -> None:
    doctor = Doctor()
    doctor.until_restart(SICK)
    (remember,) = doctor.machine.step(doctor.now, Evicted("u1", eviction, "needs 1 healthy pods"))
    assert remember == Remember(RemedyMemory())
    began = doctor.now
    refusal = decisions_in(doctor.see(SICK))[0]
    assert (refusal.reason, refusal.sentence.endswith("needs 1 healthy pods")) == (RemedyReason.BLOCKED, True)
    assert doctor.until_restart(SICK, 700) is not None
    assert doctor.now - began == again


@pytest.mark.parametrize("eviction", [Eviction.DONE, Eviction.UNCERTAIN])
def test_what_may_have_been_done_counts(eviction: Eviction) -> None:
    doctor = Doctor()
    doctor.until_restart(SICK)
    assert doctor.machine.step(doctor.now, Evicted("u1", eviction)) == []
    assert decisions_in(doctor.see(SICK))[0].reason is RemedyReason.PENDING


def test_only_who_leads_restarts() -> None:
    doctor = Doctor(leading=False)
    assert doctor.reason_for(SICK) is RemedyReason.NOT_LEADING
    doctor.machine.step(doctor.now, Leading(RemedyMemory()))
    assert doctor.until_restart(SICK, 5) is not None
    doctor.machine.step(doctor.now, NotLeading())
    assert doctor.reason_for(SICK) is RemedyReason.NOT_LEADING


REMEMBERED: list[tuple[RemedyMemory, RemedyReason]] = [
    (RemedyMemory((100.0,)), RemedyReason.BUDGET),
    (RemedyMemory((3000.0, 2000.0, 1000.0)), RemedyReason.BUDGET),
    (RemedyMemory((), 2), RemedyReason.GIVEN_UP),
    (
        RemedyMemory((50.0,), 0, PendingRestart("u0", "coredns-0", 50.0, frozenset({"u0", "u1", "u2", "u3"}))),
        RemedyReason.PENDING,
    ),
]


@pytest.mark.parametrize("memory, reason", REMEMBERED)
def test_what_was_remembered_holds_after_a_restart_of_the_doctor(memory: RemedyMemory, reason: RemedyReason) -> None:
    doctor = Doctor(leading=False)
    doctor.machine.step(0.0, Leading(memory))
    assert doctor.reason_for(SICK, 100) is reason


def test_the_successor_of_a_restart_made_before_is_recognized() -> None:
    doctor = Doctor(leading=False)
    pending = PendingRestart("u1", "coredns-1", 30.0, frozenset({"u1", "u2", "u3"}))
    doctor.machine.step(0.0, Leading(RemedyMemory((30.0,), 0, pending)))
    doctor.see(round_of(AFTER))
    assert [one.sentence for one in doctor.outcomes] == ["the successor of coredns-1 answers after 35 s"]


@pytest.mark.parametrize("change", [lambda found: replace(found, replies=()), lambda found: replace(found, pods=())])
def test_a_round_that_says_nothing_decides_nothing(change: Callable[[DnsRound], DnsRound]) -> None:
    assert decisions_in(Doctor().see(change(SICK), 100)) == []

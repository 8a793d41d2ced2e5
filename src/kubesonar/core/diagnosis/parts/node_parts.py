"""Parts of one node: a slow link, a full table, an agent that is gone, frozen, displaced or starved."""

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions, shares, subjects
from kubesonar.core.diagnosis.parts.part import Part

STARVED = 20.0
"""Seconds without a turn up to which a process counts as starved, not as frozen: told sooner, every CPU limit would
make findings; later, a frozen one is told late."""

_MOST = 0.5
"""Share of what goes to a process that must be lost for it to be called gone or frozen. Lower, and of an agent that
cannot be read faint loss is told as its being frozen; higher, and one that runs for a moment is not frozen before
that."""

NODE_PARTS: tuple[Part, ...] = (
    Part(
        "link_rate",
        4.0,
        lambda route: False,
        subjects.nodes,
        "the link of {subject} passes only about {rate}",
        fault="slow",
        hides=lambda route: True,
    ),
    *(
        Part(
            name,
            4.0,
            lambda route: False,
            subjects.nodes,
            total,
            fault="full",
        )
        for name, total in (
            (
                "conntrack_full",
                "the conntrack table of {subject} is full and new connections fail: {used}",
            ),
            ("backlog_full", "{subject} gets more packets than its CPUs take: {used}"),
        )
    ),
    *(
        Part(
            "new_flows",
            penalty,
            conditions.begins_flow,
            crossing,
            f"no new flow gets {way} {{subject}} since {{since}}, packets of known ones do: look at its conntrack table"
            " and packet filter",
            f"{{subject}} loses {{loss}} of the packets that begin a flow {way} it since {{since}}, and none of known "
            "ones: look at its conntrack table and packet filter",
            variant=variant,
            share=shares.part_of_node,
        )
        for variant, penalty, way, crossing in (
            ("", 8.0, "in or out of", subjects.nodes),
            ("in", 9.0, "into", subjects.nodes_asked),
            ("out", 9.0, "out of", subjects.nodes_asking),
        )
    ),
    *(
        Part(
            name,
            penalty + extra,
            cannot,
            subject,
            f"the {{noun}} on {{node}} {{be}} {how}, its host answers",
            variant=f"{variant}{scope}",
            fault=how,
            least=_MOST,
            share=shares.part_of_agents,
            serves=serves,
            hides=conditions.through_process,
            age=STARVED if name == "agent_frozen" else 0.0,
        )
        for name, how, penalty, cannot, serves, variant in (
            ("agent_gone", "gone", 4.0, conditions.agent_gone, conditions.refused_by_server, ""),
            ("agent_frozen", "frozen", 4.5, conditions.agent_frozen, conditions.unanswered_by_server, ""),
            ("agent_frozen", "frozen", 5.5, conditions.agent_frozen_long, conditions.unanswered_by_server, "backlog"),
        )
        for scope, extra, subject in (("", 0.0, subjects.target), ("node", 1.0, subjects.target_node))
    ),
    Part(
        "agent_displaced",
        4.0,
        lambda route: False,
        subjects.target,
        "somebody else answers at {address}, the address of {subject}, since {since}",
        fault="misdelivered",
        hides=lambda route: route.between_members,
    ),
    Part(
        "observer",
        4.0,
        lambda route: False,
        subjects.nodes,
        "{subject} could not measure {when}: {cause}",
        fault="starved",
    ),
)

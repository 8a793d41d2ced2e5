"""Rounds of questions for the tests of the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from kubesonar.core.remedy.dns_round import DnsRound, DnsServerPod, DnsStandpoint, PodReplies, PodReply
from kubesonar.core.remedy.events import Decision, RemedyAction, RestartOutcome, RoundReport

OK, SILENT, WRONG, UNKNOWN = PodReply.ANSWERED, PodReply.SILENT, PodReply.WRONG, PodReply.UNKNOWN
REFUSED = PodReply.REFUSED
DEAF = (SILENT, OK)
DEAD = (SILENT, SILENT)
WELL = (OK, OK)


def pod(number: int, **facts: Any) -> DnsServerPod:
    """A DNS pod that has been Ready for long, on the node of its number."""
    return DnsServerPod(
        **{
            "uid": f"u{number}",
            "name": f"coredns-{number}",
            "node": f"n{number}",
            "running_for": 1e6,
            "node_ready": True,
            "owner": "Deployment coredns",
            **facts,
        }
    )


def round_of(
    pods: Iterable[DnsServerPod],
    replies: dict[tuple[str, str], tuple[PodReply, PodReply]] | None = None,
    *,
    nodes: int = 4,
    well: bool | None = None,
    **more: Any,
) -> DnsRound:
    """A round asked from `nodes` nodes. `replies` are what came back by UDP and TCP by (node, uid), "*" for all nodes;
    all else was answered."""
    pods, replies = tuple(pods), replies or {}
    names = [f"n{number}" for number in range(1, nodes + 1)]
    said = [
        PodReplies(standpoint=name, pod=one.uid, udp=udp, tcp=tcp)
        for name in names
        for one in pods
        for udp, tcp in [replies.get((name, one.uid), replies.get(("*", one.uid), WELL))]
    ]
    standpoints = tuple(DnsStandpoint(name=name, node=name, well=well) for name in names)
    return DnsRound(pods=pods, standpoints=standpoints, replies=tuple(said), **more)


def with_ways(found: DnsRound, ways: Mapping[str, bool | None], uid: str = "u1") -> DnsRound:
    """The round in which the standpoints of these names reach, or do not, something else on the node of that pod."""
    replies = (replace(one, node_reached=ways.get(one.standpoint)) if one.pod == uid else one for one in found.replies)
    return replace(found, replies=tuple(replies))


def decisions_in(actions: Iterable[RemedyAction]) -> list[Decision]:
    """The decisions among actions."""
    return [action for action in actions if isinstance(action, Decision)]


def outcomes_in(actions: Iterable[RemedyAction]) -> list[RestartOutcome]:
    """The outcomes among actions."""
    return [action for action in actions if isinstance(action, RestartOutcome)]


def report_in(actions: Iterable[RemedyAction]) -> RoundReport:
    """The one report among actions."""
    (found,) = (action for action in actions if isinstance(action, RoundReport))
    return found

from __future__ import annotations

import asyncio

import msgspec
import uvloop

from kubesonar.apps.client.gather import AgentAccess, Assessment
from kubesonar.apps.client.sources import sources_of
from kubesonar.apps.client.watch import Watch
from kubesonar.model import Member, Snapshot
from tests.apps.listening import answer, bound, on_tcp
from tests.core.snapshots import lone


def test_a_watch_goes_on_with_those_whom_the_one_agent_named_that_does_not_answer_any_more() -> None:
    gone, sock = bound(), bound()
    roster = Member("a", "a", (), 0), Member("b", "b", ("127.0.0.1",), sock.getsockname()[1])
    a, b = (answer(msgspec.json.encode(lone(name, roster=roster))) for name in "ab")
    with gone, on_tcp(b, sock), on_tcp(a) as url:
        asked = [url]
        watch = Watch(lambda: sources_of(asked), AgentAccess())

        async def looks() -> list[Assessment]:
            first = await watch.look()
            asked[:] = [f"http://127.0.0.1:{gone.getsockname()[1]}"]
            return [first, await watch.look(), await watch.look()]

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen = runner.run(looks())
    assert [names(each.snapshots) for each in seen] == [["a", "b"], ["b"], ["b"]]


def names(snapshots: list[Snapshot]) -> list[str]:
    return [snapshot.member.name for snapshot in snapshots]

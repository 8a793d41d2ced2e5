"""What agents are handed of the cluster, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.core.probing.cluster_document import CLUSTER_PATH, ClusterDocument, decode_cluster
from kubesonar.model import Roster
from kubesonar.reports.auth.reporter import AnyReporter, Reporter, ReporterRefused
from kubesonar.reports.cluster_handout import ClusterHandout
from kubesonar.web import Anonymous, Request, Route, Router
from tests.web.support import get, run, serving

FIRST, SECOND = (ClusterDocument(1, Roster(name, ())) for name in ("r1", "r2"))


class Nobody:
    """Believes nobody."""

    async def reporter(self, request: Request) -> Reporter:
        raise ReporterRefused("a token is needed")


def router(handout: ClusterHandout) -> Router:
    return Router({CLUSTER_PATH: Route(handout.give, "", open=True)}, Anonymous())


def test_who_has_the_list_waits_for_another_one() -> None:
    async def work() -> None:
        handout = ClusterHandout(AnyReporter())
        async with serving(router(handout)) as server:
            assert (await get(server, CLUSTER_PATH))[0] == 503
            handout.publish(FIRST)
            status, headers, body = await get(server, CLUSTER_PATH)
            assert (status, decode_cluster(body)) == (200, FIRST)
            known = f"if-none-match: {headers['etag']}"
            assert (await get(server, CLUSTER_PATH, known))[0] == 304
            assert (await get(server, f"{CLUSTER_PATH}?wait=0.01", known))[0] == 304
            waiting = asyncio.create_task(get(server, f"{CLUSTER_PATH}?wait=50", known))
            await asyncio.sleep(0)
            handout.publish(SECOND)
            status, _, body = await waiting
            assert (status, decode_cluster(body)) == (200, SECOND)

    run(work)


@pytest.mark.parametrize("wait", ["-1", "51", "nan", "x"])
def test_a_wait_that_is_none_is_refused(wait: str) -> None:
    async def work() -> None:
        async with serving(router(ClusterHandout(AnyReporter()))) as server:
            status, _, body = await get(server, f"{CLUSTER_PATH}?wait={wait}")
            assert (status, b"expected seconds from 0 to 50" in body) == (400, True)

    run(work)


def test_only_who_may_report_is_told() -> None:
    async def work() -> None:
        handout = ClusterHandout(Nobody())
        handout.publish(FIRST)
        async with serving(router(handout)) as server:
            assert (await get(server, CLUSTER_PATH))[0] == 401

    run(work)

"""A pod is removed, or the API server says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesonar.core.remedy.events import Eviction
from kubesonar.doctor.repair.eviction import PodRestarter
from kubesonar.kube.client import Client
from tests.doctor.repair.kubernetes import dns_pod
from tests.kube.apiserver import ApiServer
from tests.kube.running import with_client


def restart(api: ApiServer, folder: Path, *, delete: bool = False, uid: str = "") -> tuple[Eviction, str]:
    pod = api.put("pods", dns_pod(1))
    wanted = uid or pod["metadata"]["uid"]
    return with_client(
        api, folder, lambda client: PodRestarter(client, delete=delete).restart("kube-system", "coredns-1", wanted)
    )


@pytest.mark.parametrize("delete, verb, resource", [(False, "create", "pods/eviction"), (True, "delete", "pods")])
def test_a_pod_is_evicted_or_deleted_where_that_is_asked_for(
    tmp_path: Path, delete: bool, verb: str, resource: str
) -> None:
    with ApiServer() as api:
        assert restart(api, tmp_path, delete=delete) == (Eviction.DONE, "")
        assert len(api.asked(verb, resource)) == 1
        assert api.store.all("pods", lambda tree: True)[0] == []


@pytest.mark.parametrize("delete", [False, True])
def test_only_the_pod_that_was_meant(tmp_path: Path, delete: bool) -> None:
    with ApiServer() as api:
        assert restart(api, tmp_path, delete=delete, uid="another")[0] is Eviction.GONE
        assert len(api.store.all("pods", lambda tree: True)[0]) == 1


def one_budget(api: ApiServer) -> None:
    api.switches.evictions.budgets = [1]


def two_budgets(api: ApiServer) -> None:
    api.switches.evictions.budgets = [1, 1]


def no_right(api: ApiServer) -> None:
    api.refuse("create", "pods/eviction")


def failing(status: int) -> Callable[[ApiServer], None]:
    return lambda api: api.fail(status, verb="create")


REFUSALS = [
    (one_budget, Eviction.BLOCKED, "The disruption budget one needs 1 healthy pods and has 1 currently"),
    (two_budgets, Eviction.REFUSED, "more than one PodDisruptionBudget"),
    (no_right, Eviction.REFUSED, 'apiGroups: [""], resources: [pods/eviction], verbs: [create]} would grant it'),
    (failing(500), Eviction.UNCERTAIN, ""),
    (failing(503), Eviction.BLOCKED, ""),
    (failing(422), Eviction.REFUSED, ""),
]


@pytest.mark.parametrize("sick, eviction, words", REFUSALS)
def test_a_refusal_is_for_now_or_for_good_and_explained(
    tmp_path: Path, sick: Callable[[ApiServer], None], eviction: Eviction, words: str
) -> None:
    with ApiServer() as api:
        sick(api)
        found, sentence = restart(api, tmp_path)
    assert found is eviction
    assert words in sentence


def test_no_answer_may_mean_that_it_was_done(tmp_path: Path) -> None:
    with ApiServer() as api:

        async def ask_nobody(client: Client) -> tuple[Eviction, str]:
            api.stop()
            return await PodRestarter(client).restart("kube-system", "coredns-1", "u")

        found, _ = with_client(api, tmp_path, ask_nobody)
        api.start()
    assert found is Eviction.UNCERTAIN

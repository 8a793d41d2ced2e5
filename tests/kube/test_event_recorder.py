"""Events about objects, as many as are good for an API server."""

from __future__ import annotations

from pathlib import Path

from kubesonar.kube.client import Client
from kubesonar.kube.event_recorder import EVENT_REPEAT, EVENTS_HOURLY, EventRecorder, ObjectAddress
from tests.clocks import TurnedClock
from tests.kube.apiserver import ApiServer
from tests.kube.running import with_client

POD = ObjectAddress("Pod", "kube-system", "coredns-1", "u1")


def test_an_event_is_posted_where_its_object_is(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        recorder = EventRecorder(client, "kubesonar.io/doctor", "doctor-0", TurnedClock())
        await recorder.post(POD, "Sick", "Restart", "it is deaf " + "ü" * 1000, warning=True)

    with ApiServer() as api:
        with_client(api, tmp_path, work)
        (event,), _ = api.store.all("events", lambda tree: True)
    assert event["metadata"]["namespace"] == "kube-system"
    assert event["regarding"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "kube-system",
        "name": "coredns-1",
        "uid": "u1",
    }
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "Sick", "Restart")
    assert len(event["note"].encode()) <= 1024


def test_the_same_is_posted_again_after_a_while_only(tmp_path: Path) -> None:
    async def work(client: Client) -> list[int]:
        clock = TurnedClock()
        recorder = EventRecorder(client, "kubesonar.io/doctor", "doctor-0", clock)
        counts = []
        for ahead, reason in ((0.0, "Sick"), (5.0, "Sick"), (6.0, "Budget"), (EVENT_REPEAT, "Sick")):
            clock.ahead = ahead
            await recorder.post(POD, reason, "Restart", f"after {ahead}")
            counts.append(len(api.asked("create", "events")))
        return counts

    with ApiServer() as api:
        assert with_client(api, tmp_path, work) == [1, 1, 2, 3]


def test_there_are_at_most_so_many_an_hour_and_a_failure_stops_nobody(tmp_path: Path) -> None:
    async def work(client: Client) -> int:
        recorder = EventRecorder(client, "kubesonar.io/doctor", "doctor-0", TurnedClock())
        for number in range(EVENTS_HOURLY + 3):
            await recorder.post(POD, f"Reason{number}", "Restart", "")
        return recorder.dropped

    with ApiServer() as api:
        api.fail(500, verb="create", resource="events")
        assert with_client(api, tmp_path, work) == 4

from __future__ import annotations

from kubesonar.core.diagnosis.parts import conditions
from kubesonar.model import Network
from tests.core.diagnosis.parts.routes import asked


def test_questions_from_a_pod_to_a_service_of_pods_cross_the_way_between_pod_networks() -> None:
    assert conditions.passes_way_pod(asked(Network.POD))
    assert not conditions.passes_way_pod(asked(Network.HOST))

from __future__ import annotations

import msgspec

from kubesonar.core.diagnosis.parts import dns_conditions
from kubesonar.core.diagnosis.parts.traversal import Aspect, End
from kubesonar.model import Network, Path
from tests.core.diagnosis.parts.routes import HERE, THERE, asked


def test_names_outside_are_asked_of_the_servers_beyond_the_clusters_own() -> None:
    outside = asked(Network.POD, End("upstream", behind=(HERE, THERE)), Path.DNS_UPSTREAM)
    assert dns_conditions.upstream(outside)
    assert not dns_conditions.upstream(asked(Network.POD))


def test_a_server_that_answers_wrongly_is_heard_and_one_that_is_gone_is_not() -> None:
    heard = asked(Network.POD)
    answered = msgspec.structs.replace(heard, question=Aspect.ANSWER)
    assert dns_conditions.dns_gone(heard)
    assert not dns_conditions.dns_wrong(heard)
    assert dns_conditions.dns_gone(answered)
    assert dns_conditions.dns_wrong(answered)

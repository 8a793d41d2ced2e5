import pytest

from kubesonar.core.telemetry.service_levels import LATENCY_BOUNDS, LatencyCounts, LatencyLog, ServiceLevels
from kubesonar.model import Check, Fault, Kind, Network, Observation, Path, Phase, Rtt, Side, Span, StampSource


def observation(
    kind: Kind,
    path: Path,
    took: float = 0.003,
    fault: Fault | None = None,
    request: str = "",
    side: Side = Side.SOURCE,
) -> Observation:
    check = Check("x", kind, path, "x", "10.0.0.9", request=request)
    phases = (Span(Phase.DNS, 0.0, 0.5), Span(Phase.BODY, 0.5, 0.5 + took)) if kind is Kind.HTTP and not fault else ()
    rtt = Rtt(took, took, took, StampSource.KERNEL) if kind is Kind.DNS and not fault else None
    return Observation(
        check, "me", Network.POD, 1.0, side=side, fault=fault, phases=phases, rtt=rtt, sent=8, received=7
    )


def levels(*observations: Observation) -> ServiceLevels:
    log = LatencyLog()
    for one in observations:
        log.add(one)
    return log.levels()


def test_requests_to_the_own_service_count_without_the_time_that_their_name_took() -> None:
    counted = levels(observation(Kind.HTTP, Path.SERVICE), observation(Kind.HTTP, Path.SERVICE, fault=Fault.TIMEOUT))
    assert counted.service is not None
    assert dict(zip(LATENCY_BOUNDS, counted.service.counts, strict=False))[0.005] == 1
    assert (sum(counted.service.counts), counted.service.failed) == (1, 1)
    assert counted.service.seconds == pytest.approx(0.003)
    assert (counted.dns_service, counted.dns_node_local) == (None, None)


@pytest.mark.parametrize(("path", "name"), [(Path.DNS_SERVICE, "dns_service"), (Path.DNS_NODE_LOCAL, "dns_node_local")])
def test_look_ups_by_udp_count_by_their_server(path: Path, name: str) -> None:
    counted = levels(observation(Kind.DNS, path, request="x A udp"), observation(Kind.DNS, path, request="x A tcp"))
    found: LatencyCounts = getattr(counted, name)
    assert sum(found.counts) == 1


def test_datagrams_of_trains_count_once() -> None:
    counted = levels(
        observation(Kind.UDP, Path.POD),
        observation(Kind.UDP, Path.POD, side=Side.RESPONDER),
        observation(Kind.UDP, Path.LOOPBACK),
    )
    assert (counted.sent, counted.received) == (8, 7)


@pytest.mark.parametrize(
    "one",
    [
        observation(Kind.HTTP, Path.INGRESS),
        observation(Kind.DNS, Path.DNS_POD, request="x A udp"),
        observation(Kind.HTTP, Path.SERVICE, fault=Fault.UNRESOLVED),
        observation(Kind.HTTP, Path.SERVICE, fault=Fault.LOCAL),
    ],
    ids=["ingress", "a DNS pod", "no name", "own trouble"],
)
def test_what_is_no_indicator_is_not_counted(one: Observation) -> None:
    assert levels(one) == ServiceLevels()

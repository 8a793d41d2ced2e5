from __future__ import annotations

import pytest

from kubesonar.compat.kubenurse.listener.forwarded import ForwardedGuard
from kubesonar.web import Request

GUARD = ForwardedGuard("https://kubenurse.example.com", "http://kubenurse.kube-system.svc.cluster.local:8080")


def forwarded(*headers: tuple[bytes, bytes], guard: ForwardedGuard = GUARD) -> bool:
    return guard.forwarded(Request(headers=list(headers)))


@pytest.mark.parametrize(
    "header",
    [
        (b"x-forwarded-for", b"203.0.113.7"),
        (b"x-forwarded-host", b"kubenurse.example.com"),
        (b"x-real-ip", b"203.0.113.7"),
        (b"forwarded", b"for=203.0.113.7"),
        (b"via", b"1.1 google"),
        (b"host", b"kubenurse.example.com"),
        (b"host", b"KubeNurse.Example.com:443"),
        (b"host", b"kubenurse.example.com."),
        (b"host", b"kubenurse.example.com.:443"),
    ],
)
def test_kn07_what_a_proxy_handed_on_is_told(header: tuple[bytes, bytes]) -> None:
    assert forwarded((b"accept", b"*/*"), header)


@pytest.mark.parametrize(
    "headers",
    [
        ((b"host", b"10.0.1.2:8080"), (b"user-agent", b"kube-probe/1.33")),
        (
            (b"host", b"10.0.1.2:8080"),
            (b"user-agent", b"Prometheus/3.0"),
            (b"x-prometheus-scrape-timeout-seconds", b"10"),
        ),
        ((b"host", b"[fd00::1]:8080"),),
        ((b"host", b"kubenurse.kube-system.svc.cluster.local:8080"),),
        ((b"host", b"localhost:8080"), (b"user-agent", b"curl/8")),
        ((b"host", b"10.0.1.2:8080"), (b"x-forwarded-proto", b"http"), (b"x-request-id", b"1")),
    ],
)
def test_kn07_kubelets_prometheus_curl_and_a_mesh_are_not_told(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert not forwarded(*headers)


def test_kn07_an_ingress_that_is_the_service_is_no_ingress() -> None:
    same = ForwardedGuard("http://kubenurse:8080", "http://kubenurse:8080")
    assert not forwarded((b"host", b"kubenurse:8080"), guard=same)
    assert not forwarded((b"host", b""), guard=ForwardedGuard("", "no url"))

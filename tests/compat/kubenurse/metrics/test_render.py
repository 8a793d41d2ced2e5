from __future__ import annotations

import math
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from kubesonar.compat.kubenurse.listener.incoming import COUNT_SPAN, ORIGINS, IncomingChecks
from kubesonar.compat.kubenurse.metrics.exposition import GoExposition, go_number
from kubesonar.compat.kubenurse.metrics.instruments import CheckInstruments
from kubesonar.compat.kubenurse.metrics.render import MetricsPage
from kubesonar.compat.kubenurse.metrics.vmrange import RangeHistograms
from kubesonar.compat.kubenurse.settings import BUCKETS
from kubesonar.model import Check, Fault, Kind, Network, Observation, Path, Phase, Span
from tests.programs import found
from tests.tracing import tracing


def seen(
    kind: str = "me_service", *, at: float = 1000.0, fault: Fault | None = None, code: int | None = 200
) -> Observation:
    """A request that took 3 ms to connect and 20 ms to answer, or that was refused."""
    check = Check(kind, Kind.HTTP, Path.SERVICE, kind, "10.0.0.1", request="http://10.0.0.1/alwayshappy")
    phases = (
        Span(Phase.CONNECT, 0.0, 0.003),
        Span(Phase.WRITE, 0.003, 0.004),
        Span(Phase.FIRST_BYTE, 0.004, 0.02),
    )
    return Observation(check, "me", Network.POD, at, fault=fault, code=code, phases=phases if code else ())


def tallied(*observations: Observation, ranges: bool = False) -> CheckInstruments:
    instruments = CheckInstruments(BUCKETS, ranges=ranges)
    for observation in observations:
        instruments.add(observation)
        instruments.finished(observation.check.id, 0.02)
    return instruments


def rendered(*observations: Observation, metadata: bool = False, older: bool = True, ranges: bool = False) -> str:
    return MetricsPage(tallied(*observations, ranges=ranges), metadata=metadata, older=older).render(3).decode()


def samples(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_kn17_no_error_line_while_healthy() -> None:
    text = rendered(seen(), seen("path_node-1"))
    assert "kubenurse_errors_total" not in text
    assert 'kubenurse_httpclient_request_duration_seconds_count{type="path_node-1"} 1' in text


def test_kn17_series_exist_after_first_use_only() -> None:
    names = {line.partition("{")[0].partition(" ")[0] for line in rendered().splitlines()}
    assert {name for name in names if not name.startswith("process_")} == {"kubenurse_neighbourhood_incoming_checks"}


def test_kn16_one_failure_is_one_error() -> None:
    text = rendered(
        seen(fault=Fault.REFUSED, code=None),
        seen(fault=Fault.WRONG_ANSWER, code=404),
        seen(fault=Fault.WRONG_ANSWER, code=404),
    )
    assert 'kubenurse_errors_total{type="me_service",event="connect_done"} 1\n' in text
    assert 'kubenurse_errors_total{type="me_service",event="status_code_404"} 2\n' in text
    assert text.count("kubenurse_errors_total") == 2
    assert 'kubenurse_httpclient_requests_total{type="me_service",code="round_trip_error",method="get"} 1\n' in text


def test_kn32_our_own_trouble_is_nobodys_error() -> None:
    text = rendered(seen(fault=Fault.LOCAL, code=None))
    assert "errors_total" not in text
    assert "requests_total" not in text


def test_kn18_both_dialects_at_once() -> None:
    text = rendered(seen())
    assert 'kubenurse_request_duration_count{type="me_service"} 1\n' in text
    assert 'kubenurse_httpclient_request_duration_seconds_count{type="me_service"} 1\n' in text
    assert 'kubenurse_httpclient_requests_total{type="me_service",code="200",method="get"} 1\n' in text
    current = rendered(seen(), older=False)
    assert "kubenurse_request_duration" not in current
    assert 'kubenurse_httpclient_requests_total{type="me_service",code="200"} 1\n' in current


def test_kn19_type_comes_first_and_bounds_are_written_as_go_does() -> None:
    text = rendered(seen())
    name = "kubenurse_httpclient_request_duration_seconds"
    lines = [line for line in text.splitlines() if line.startswith(name)]
    assert lines == [
        *(f'{name}_bucket{{type="me_service",le="{bound}"}} {count}' for bound, count in (
            ("0.005", 0), ("0.01", 0), ("0.025", 1), ("0.05", 1), ("0.1", 1), ("0.25", 1), ("0.5", 1),
            ("1", 1), ("2.5", 1), ("5", 1), ("10", 1), ("+Inf", 1),
        )),
        f'{name}_sum{{type="me_service"}} 0.02',
        f'{name}_count{{type="me_service"}} 1',
    ]  # fmt: skip
    assert all(re.match(r'\w+(\{type="[^"]*"(,\w+="[^"]*")*\})? \S+$', line) for line in text.splitlines())


def test_every_event_has_its_histogram() -> None:
    found = samples(rendered(seen()))
    name = "kubenurse_httpclient_trace_request_duration_seconds_sum"
    sums = {key.split("'event', '")[1].split("'")[0]: value for key, value in found.items() if key.startswith(name)}
    assert sums == {
        "connect_start": 0.0,
        "connect_done": 0.003,
        "got_conn": 0.003,
        "wrote_request": 0.004,
        "got_first_resp_byte": 0.02,
    }


def test_kn20_metadata_only_where_asked_for() -> None:
    assert "#" not in rendered(seen())
    text = rendered(seen(), metadata=True)
    assert "# HELP kubenurse_httpclient_requests_total\n# TYPE kubenurse_httpclient_requests_total counter\n" in text
    assert "# TYPE kubenurse_request_duration histogram\n" in text
    families = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert families["kubenurse_neighbourhood_incoming_checks"] == "gauge"


def test_kn20_ranges_as_victoriametrics_has_them() -> None:
    text = rendered(seen(), ranges=True, metadata=True)
    name = "kubenurse_httpclient_request_duration_seconds"
    assert f'{name}_bucket{{type="me_service",vmrange="1.896e-02...2.154e-02"}} 1\n' in text
    assert f"# TYPE {name} untyped\n" in text
    assert "le=" not in text


@given(st.floats(min_value=0, max_value=1e20))
def test_kn20_a_value_lies_in_its_range(value: float) -> None:
    ranges = RangeHistograms(1)
    ranges.add(("x",), value)
    ((label, count),) = ranges.series["x",].ranges()
    low, high = (float(bound) for bound in label.split("..."))
    assert count == 1
    assert low * 0.999 <= value <= high * 1.001


def test_kn20_ranges_pass_over_what_is_no_duration() -> None:
    ranges = RangeHistograms(1)
    for value in (math.nan, -1.0):
        ranges.add(("x",), value)
    assert not ranges.series
    ranges.add(("x",), 0.1)
    ranges.add(("y",), 0.1)
    assert list(ranges.series) == [("x",)]
    assert list(ranges.series["x",].ranges()) == [("8.799e-02...1.000e-01", 1)]


def test_labels_are_escaped() -> None:
    text = rendered(seen('a"b\\c\nd'))
    assert any("('type', 'a\"b\\\\c\\nd')" in key for key in samples(text))


@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize("metadata", [False, True])
def test_is_read_by_prometheus(ranges: bool, metadata: bool) -> None:
    text = rendered(seen(), seen("path_a%sb", fault=Fault.REFUSED, code=None), ranges=ranges, metadata=metadata)
    assert samples(text)
    promtool = found("promtool")
    checked = subprocess.run([promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False)
    assert checked.returncode in (0, 3), checked.stderr  # 3: it dislikes names, which are given
    assert b"error while linting" not in checked.stderr


def test_kn34_neighbours_not_asked_for_an_hour_leave() -> None:
    instruments = tallied(seen("path_gone", at=0.0), seen("path_here", at=4000.0), seen("me_service", at=0.0))
    instruments.forget(4000.0)
    text = MetricsPage(instruments, metadata=False, older=True).render(0).decode()
    assert "path_gone" not in text
    assert "path_here" in text
    assert "me_service" in text


def test_types_are_bounded() -> None:
    instruments = tallied(*(seen(f"path_{go_number}") for go_number in range(8200)))
    assert len(instruments.requests.series) == 8192


def test_templates_do_not_pile_up() -> None:
    text = GoExposition(metadata=False)
    with tracing() as held:
        for number_ in range(1000):
            instruments = tallied(seen(f"path_{number_}"))
            text.family("x", "histogram", ("type",), instruments.durations)
            assert text.take()
        assert held() < 150_000  # bytes; a template has more than 600


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_numbers_can_be_read_back(value: float) -> None:
    assert float(go_number(value)) == value


def test_kn21_distinct_origins_of_the_last_minute_are_counted() -> None:
    now = [0.0]
    incoming = IncomingChecks(lambda: now[0])
    for origin in ("a", "b", "a"):
        incoming.note(origin)
    assert incoming.count() == 2
    now[0] = COUNT_SPAN - 1
    incoming.note("a")
    now[0] = COUNT_SPAN + 1
    assert incoming.count() == 1


def test_kn21_origins_are_bounded() -> None:
    incoming = IncomingChecks(lambda: 0.0)
    for number_ in range(ORIGINS + 10):
        incoming.note(f"pod-{number_}")
    assert incoming.count() == ORIGINS

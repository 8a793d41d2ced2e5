"""Both text formats, read back by prometheus_client's parsers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kubesonar.core.telemetry.instruments import Histograms
from kubesonar.views.metrics.exposition import Exposition, Metric, Series, accepts_openmetrics
from tests.tracing import tracing

REQUESTS = Metric("requests_total", "counter", 'Requests, "all" of\nthem \\ here.', ("path",))
SECONDS = Metric("lag_seconds", "gauge", "Lag.", (), "seconds")
ROUND = Metric("round_seconds", "histogram", "Round trips.", ("peer",), "seconds")
BUILD = Metric("tool_build_info", "info", "Version.", ("version",))


def test_both_formats_say_the_same() -> None:
    rounds = Histograms((0.1, 1.0))
    for value in (0.05, 0.5, 5.0):
        rounds.add(('a"b%s',), value)
    families: list[tuple[Metric, Series]] = [
        (REQUESTS, {("/",): 3}),
        (SECONDS, {(): 0.25}),
        (ROUND, rounds),
        (BUILD, {("1.0",): 1}),
    ]
    exposition = Exposition()
    text = exposition.render(families).decode()
    openmetrics = exposition.render(families, openmetrics=True).decode()
    for parsed in (list(parse_text(text)), list(parse_openmetrics(openmetrics))):  # type: ignore[no-untyped-call]
        samples = {(s.name, s.labels.get("le")): s.value for family in parsed for s in family.samples}
        assert samples["requests_total", None] == 3
        assert samples["lag_seconds", None] == 0.25
        assert samples["round_seconds_bucket", "1.0"] == 2
        assert samples["round_seconds_bucket", "+Inf"] == samples["round_seconds_count", None] == 3
        assert samples["round_seconds_sum", None] == 5.55
        assert samples["tool_build_info", None] == 1
        assert parsed[0].documentation == REQUESTS.help
        assert parsed[2].samples[0].labels["peer"] == 'a"b%s'
    assert "# UNIT lag_seconds seconds\n" in openmetrics
    assert "# TYPE tool_build info\n" in openmetrics
    assert openmetrics.endswith("# EOF\n")
    assert "# TYPE tool_build_info gauge\n" in text


def test_a_family_without_values_is_left_out() -> None:
    assert Exposition().render([(REQUESTS, {})]) == b""


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.floats())
def test_any_label_and_any_value_come_back(label: str, value: float) -> None:
    gauge = Metric("g", "gauge", "G.", ("l",))
    exposition = Exposition()
    families: list[tuple[Metric, Series]] = [(gauge, {(label,): value})]
    text = exposition.render(families).decode()
    openmetrics = exposition.render(families, openmetrics=True).decode()
    for (family,) in (list(parse_text(text)), list(parse_openmetrics(openmetrics))):  # type: ignore[no-untyped-call]
        (sample,) = family.samples
        assert sample.labels == {"l": label}
        assert sample.value == value or (math.isnan(value) and math.isnan(sample.value))


def test_what_is_remembered_is_bounded() -> None:
    exposition = Exposition()
    with tracing() as held:
        for round_ in range(10_000):
            exposition.render([(REQUESTS, {(f"/{round_}",): 1})])
        assert held() < 100_000  # bytes; a line's template has more than 100


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", True),
        ("application/openmetrics-text;q=0.1,text/plain", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=x", False),
        (";;;,,,q=," * 1000, False),
    ],
)
def test_accept_chooses_the_format(accept: str, wanted: bool) -> None:
    assert accepts_openmetrics(accept) is wanted

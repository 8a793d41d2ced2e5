"""The metrics of the process itself."""

from __future__ import annotations

from kubesonar.compat.process_series import process_series


def test_they_have_the_names_and_units_of_prometheus_clients() -> None:
    found = {name: (kind, value) for name, kind, value in process_series(1_795_864_922.5)}
    assert found["process_start_time_seconds"] == ("gauge", 1_795_864_922.5)
    assert found["process_cpu_seconds_total"][0] == "counter"
    assert 1 << 20 < found["process_resident_memory_bytes"][1] < found["process_virtual_memory_bytes"][1]
    assert found["process_open_fds"][1] >= 3

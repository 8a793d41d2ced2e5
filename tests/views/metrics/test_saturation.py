from kubesonar.model import Saturation
from kubesonar.views.metrics.exposition import Exposition
from kubesonar.views.metrics.saturation import saturation_families


def test_what_the_kernel_tells_is_exported_and_the_rest_is_not() -> None:
    total = Saturation(7.0, 0.0, 255, 131072, 26, 1, 2, 63, None, 12)
    text = Exposition().render(saturation_families(total), openmetrics=True).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "kubesonar_conntrack_table_entries 255",
        "kubesonar_conntrack_table_limit 131072",
        'kubesonar_kernel_dropped_total{what="conntrack"} 26',
        'kubesonar_kernel_dropped_total{what="conntrack_early"} 1',
        'kubesonar_kernel_dropped_total{what="conntrack_insert"} 2',
        'kubesonar_kernel_dropped_total{what="udp_receive"} 63',
        'kubesonar_kernel_dropped_total{what="softnet"} 12',
    ]


def test_a_kernel_that_tells_nothing_has_no_metrics() -> None:
    assert Exposition().render(saturation_families(Saturation(7.0, 0.0))) == b""
    assert list(saturation_families(None)) == []

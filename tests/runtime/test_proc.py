import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.runtime.proc import Throttling, cpu_of_process, cpu_stat, process_usage, throttling

V2 = "usage_usec 1000\nuser_usec 500\nsystem_usec 500\nnr_periods 120\nnr_throttled 30\nthrottled_usec 900\n"
V1 = "nr_periods 120\nnr_throttled 30\nthrottled_time 900000\n"


def tree(root: Path, cgroup: str, stat: str, text: str) -> str:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / stat).parent.mkdir(parents=True)
    (root / stat).write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("cgroup", "stat", "text"),
    [
        ("0::/kubepods/pod1\n", "sys/fs/cgroup/kubepods/pod1/cpu.stat", V2),
        ("0::/\n", "sys/fs/cgroup/cpu.stat", V2),
        ("0::/../../outside\n", "sys/fs/cgroup/cpu.stat", V2),
        ("4:cpu,cpuacct:/docker/x\n1:name=systemd:/\n", "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.stat", V1),
        ("7:memory:/m\n3:cpuacct,cpu:/docker/x\n", "sys/fs/cgroup/cpu/cpu.stat", V1),
        ("2:cpu:/a\n0::/b\n", "sys/fs/cgroup/cpu/a/cpu.stat", V1),
    ],
)
def test_throttling_is_found_under_both_cgroup_versions(tmp_path: Path, cgroup: str, stat: str, text: str) -> None:
    path = cpu_stat(tree(tmp_path, cgroup, stat, text))
    assert path is not None
    assert throttling(path) == Throttling(periods=120, throttled=30)


def test_a_machine_without_a_limit_says_nothing(tmp_path: Path) -> None:
    assert cpu_stat(str(tmp_path)) is None
    assert cpu_stat(tree(tmp_path, "0::/\n", "sys/fs/cgroup/cpu.stat", "usage_usec 1\n")) is None


def test_this_process_is_measured() -> None:
    facts = process_usage()
    assert facts.resident > 2**20
    assert facts.cpu > 0


def test_the_cpu_of_a_process_is_what_the_kernel_counts_and_none_once_it_has_ended() -> None:
    assert 0.0 < cpu_of_process(os.getpid()) < process_usage().cpu + 0.001  # two sums of the same hundredths
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert cpu_of_process(ended.pid) == 0.0

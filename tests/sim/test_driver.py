import os
import random
import subprocess
import sys
from itertools import pairwise

from kubesonar.core.probing.schedule import Schedule, ScheduleOptions
from kubesonar.model import Check, Kind, Path
from kubesonar.sim.driver import Simulation

CHECKS = [Check(f"c{i}", Kind.TCP, Path.POD, f"c{i}", "127.0.0.1", period=1 + i % 3) for i in range(20)]


def mesh(seed: int, members: int = 50) -> Simulation:
    simulation = Simulation(random.Random(seed))
    for number in range(members):
        simulation.add(f"m{number}", Schedule(f"m{number}", ScheduleOptions()))
        simulation.send(f"m{number}", CHECKS, delay=simulation.random.random())
    simulation.run(30.0)
    return simulation


def test_the_same_seed_gives_the_same_transcript() -> None:
    first, second, other = mesh(1), mesh(1), mesh(2)
    assert first.transcript == second.transcript
    assert first.transcript != other.transcript


def test_the_transcript_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "from hashlib import sha256; from tests.sim.test_driver import mesh;"
        "print(sha256(repr(mesh(1, 9).transcript).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1


def test_every_machine_is_stepped_when_it_is_due() -> None:
    simulation = mesh(3, members=5)
    launched = [line for line in simulation.transcript if line.action.id == "c0" and line.name == "m0"]
    assert 28 <= len(launched) <= 30
    gaps = {round(b.at - a.at, 3) for a, b in pairwise(launched)}
    assert gaps <= {0.95, 1.0, 1.05}


def test_what_is_sent_to_a_removed_machine_is_lost_and_lossy_links_lose() -> None:
    simulation = Simulation(random.Random(0))
    simulation.add("a", Schedule("a", ScheduleOptions()))
    simulation.send("a", CHECKS, loss=1.0)
    simulation.run(10.0)
    assert simulation.transcript == []
    simulation.send("a", CHECKS)
    simulation.remove("a")
    simulation.run(20.0)
    assert simulation.transcript == []
    assert simulation.now == 20.0

import random
from functools import partial
from itertools import pairwise

from kubesonar.core.probing.schedule import Plan, Schedule
from kubesonar.model import Check, Kind, Path
from kubesonar.sim.driver import VirtualDrive, VirtualTime
from tests.sim.seeds import said_under_two_hash_seeds

PLAN = Plan(tuple(Check(f"c{i}", Kind.TCP, Path.POD, f"c{i}", "127.0.0.1", period=1 + i % 3) for i in range(20)))

Transcript = list[tuple[float, str, Check]]


def driven(time: VirtualTime, name: str, transcript: Transcript) -> VirtualDrive:
    def act(check: Check) -> None:
        transcript.append((time.now, name, check))

    return VirtualDrive(time, Schedule(name), act)


def mesh(seed: int, members: int = 50) -> Transcript:
    time, rng, transcript = VirtualTime(), random.Random(seed), Transcript()
    for number in range(members):
        drive = driven(time, f"m{number}", transcript)
        time.after(rng.random(), partial(drive.feed, PLAN))
    time.run(30.0)
    return transcript


def test_the_same_seed_gives_the_same_transcript() -> None:
    first, second, other = mesh(1), mesh(1), mesh(2)
    assert first == second
    assert first != other


def test_the_transcript_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "from hashlib import sha256; from tests.sim.test_driver import mesh;"
        "print(sha256(repr(mesh(1, 9)).encode()).hexdigest())"
    )
    digests = said_under_two_hash_seeds(code)
    assert len(digests) == 1


def test_every_machine_is_stepped_when_it_is_due() -> None:
    launched = [at for at, name, check in mesh(3, members=5) if check.id == "c0" and name == "m0"]
    assert 28 <= len(launched) <= 30
    assert {round(b - a, 3) for a, b in pairwise(launched)} <= {0.95, 1.0, 1.05}


def test_a_paused_machine_is_not_stepped_and_catches_up_when_it_is_resumed() -> None:
    time, transcript = VirtualTime(), Transcript()
    drive = driven(time, "a", transcript)
    drive.feed(PLAN)
    time.run(10.0)
    before = len(transcript)
    drive.pause()
    time.run(20.0)
    assert (len(transcript), time.now) == (before, 20.0)
    drive.resume()
    assert len(transcript) > before

"""Many runs, as many at a time as wanted; results as JSON lines, so that a sweep that was stopped goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import msgspec

from bench.diagnosis.cluster import Shape
from bench.diagnosis.rows import parse
from bench.diagnosis.run import Pace, play
from bench.diagnosis.scoring import Score


class Job(msgspec.Struct, frozen=True):
    """One run that is wanted."""

    row: str
    shape: Shape
    seed: int
    judges: tuple[str, ...] = ("watch",)
    pace: Pace = Pace()

    @property
    def keys(self) -> list[str]:
        """What makes its scores those of this run."""
        return [_key(self.row, self.shape, self.seed, judge) for judge in self.judges]


def _key(row: str, shape: Shape, seed: int, judge: str) -> str:
    return msgspec.json.encode((row, shape, seed, judge)).decode()


def commit() -> str:
    """The commit that is measured; empty where that cannot be told."""
    try:
        found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip()


def run_job(job: Job) -> list[Score]:
    """Plays it."""
    return play(parse(job.row), job.shape, job.seed, job.judges, job.pace)


def sweep(jobs: Sequence[Job], results: Path | None, workers: int) -> Iterator[Score]:
    """Plays what is not in `results` yet, adds it there, and yields every score as it comes, known ones first."""
    known = {_key(s.row, s.shape, s.seed, s.judge): s for s in load(results)} if results else {}
    done = [job for job in jobs if known.keys() >= {*job.keys}]
    yield from (known[key] for job in done for key in job.keys)
    left = [job for job in jobs if job not in done]
    at = commit()
    for found in _played(left, workers):
        score = msgspec.structs.replace(found, commit=at)
        if results:
            with results.open("ab") as file:
                file.write(msgspec.json.encode(score) + b"\n")
        yield score


def _played(jobs: Sequence[Job], workers: int) -> Iterator[Score]:
    if workers <= 1:
        for job in jobs:
            yield from run_job(job)
        return
    with ProcessPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(run_job, job) for job in jobs]):
            yield from done.result()


def load(results: Path | None) -> Iterable[Score]:
    """The scores in a file of JSON lines; none where there is no file."""
    if results is None or not results.exists():
        return
    for line in results.read_bytes().splitlines():
        yield msgspec.json.decode(line, type=Score)

"""Kills a process that writes into a SQLite store, again and again, and looks for what it had acknowledged.

Run as a program (`python -m tests.stores.killing DIRECTORY ROUNDS`): each writer is a fork of this process, which has
one thread and has loaded all that a writer needs.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys

from kubesonar.net.clock import SystemClock
from kubesonar.stores.record_file import STORE_FILE
from kubesonar.stores.sqlite import SqliteStore
from kubesonar.stores.store import Put

AT_ONCE = 4
"""Writes that wait for the disk together, so that one transaction holds several."""


async def write_for_ever(directory: str, first: int, acknowledged: int) -> None:
    """Each write sets two records to its number, of which a reader must never see one alone."""
    store = SqliteStore(directory, 64 << 20, SystemClock())

    async def one(number: int) -> None:
        value = b'{"number":%d,"padding":"%s"}' % (number, bytes([120]) * (number % 7 * 1000))
        await store.write([Put("pairs", f"{side}-{number}", value) for side in "ab"])
        os.write(acknowledged, b"%d\n" % number)

    while True:
        await asyncio.gather(*(one(number) for number in range(first, first + AT_ONCE)))
        first += AT_ONCE


def kill_one(directory: str, first: int, after: int) -> list[int]:
    """Kill a writer after so many acknowledgements; return what it acknowledged."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        asyncio.run(write_for_ever(directory, first, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as acknowledged:
        heard = [int(acknowledged.readline()) for _ in range(after)]
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return heard + [int(line) for line in acknowledged if line.endswith(b"\n")]


def check(directory: str, wanted: set[int]) -> None:
    base = sqlite3.connect(f"{directory}/{STORE_FILE}")
    base.execute("PRAGMA synchronous = OFF")  # no power is cut here
    (intact,) = base.execute("PRAGMA integrity_check").fetchone()
    values = dict(base.execute("SELECT name, value FROM records"))
    base.close()
    numbers = {name[2:] for name in values}
    torn = [number for number in numbers if values.get(f"a-{number}") != values.get(f"b-{number}")]
    lost = wanted - {int(number) for number in numbers}
    assert (intact, torn, lost) == ("ok", [], set()), (intact, torn, lost)


def main(directory: str, rounds: int) -> None:
    rng = random.Random(rounds)
    wanted: set[int] = set()
    for _ in range(rounds):
        wanted.update(kill_one(directory, max(wanted, default=-1) + 100, rng.randrange(1, 8)))
        check(directory, wanted)
    print(f"{rounds} writers killed, {len(wanted)} acknowledged writes found")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""The outbox on disk: restarts, crashes, and files and disks that are no good."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.core.delivery.retry_queue import DeliveryOptions
from kubesonar.notify.outbox_file import OUTBOX_FILE
from tests.full_disk import largest, no_file_larger_than
from tests.notify.receivers import Receiver, notice, options, rows, run, sentences, telling
from tests.waiting import until

ROOT = Path(__file__).parents[2]


async def told_to_nobody(directory: Path, numbers: range = range(1, 4), **more: object) -> None:
    """Tells a receiver that is down, and leaves."""
    async with telling(options("http://127.0.0.1:1/", directory=str(directory), **more)) as webhooks:
        for number in numbers:
            await webhooks.notify(notice(number))
        assert webhooks.trouble == ""


async def delivered(directory: Path, count: int) -> list[str]:
    """What the next process delivers."""
    async with Receiver().serve() as receiver:
        async with telling(options(receiver.url, directory=str(directory))) as webhooks:
            await receiver.heard(count)
            await until(lambda: webhooks.figures()[0].pending == 0)
        return sentences(receiver.requests)


SAID = [f"node-1-pod is dead ({number})" for number in range(1, 4)]


def test_what_was_told_survives_a_restart_and_is_then_gone(tmp_path: Path) -> None:
    run(told_to_nobody(tmp_path))
    assert [entry.id for entry in rows(tmp_path)] == [notice(number).id for number in range(1, 4)]
    assert run(delivered(tmp_path, 3)) == SAID
    assert rows(tmp_path) == []


def test_notices_of_before_go_before_those_of_now(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        await told_to_nobody(tmp_path, range(1, 3))
        async with Receiver().serve() as receiver:
            async with telling(options(receiver.url, directory=str(tmp_path))) as webhooks:
                await webhooks.notify(notice(3))
                await receiver.heard(3)
            return sentences(receiver.requests)

    assert run(scenario()) == SAID


def test_only_what_fits_is_taken_over_the_newest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(told_to_nobody(tmp_path))

    async def scenario() -> int:
        own = options("http://127.0.0.1:1/", directory=str(tmp_path), delivery=DeliveryOptions(pending=2))
        async with telling(own) as webhooks:
            return webhooks.figures()[0].pending

    assert run(scenario()) == 2
    assert "held 1 notices too many" in caplog.text
    assert [entry.id for entry in rows(tmp_path)] == [notice(2).id, notice(3).id]


def test_receivers_that_are_no_longer_there_are_forgotten(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(told_to_nobody(tmp_path, name="former"))

    async def scenario() -> None:
        async with telling(options("http://127.0.0.1:1/", directory=str(tmp_path))) as webhooks:
            assert webhooks.figures()[0].pending == 0

    run(scenario())
    assert rows(tmp_path) == []
    assert "held 3 notices for receivers that are no longer there" in caplog.text


TELLER = """
import asyncio, sys
import uvloop
from tests.full_disk import largest, no_file_larger_than
from tests.notify.receivers import rows, notice, options, telling

async def main():
    async with telling(options(sys.argv[1], directory=sys.argv[2])) as webhooks:
        number = 0
        while True:
            number += 1
            await webhooks.notify(notice(number, f"member-{number % 3}"))
            print(number, flush=True)

with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""


def test_a_process_killed_in_the_middle_of_deliveries_loses_nothing_that_it_took_over(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, list[str]]:
        async with Receiver().serve() as receiver:
            receiver.delay = 0.01
            command = [sys.executable, "-c", TELLER, receiver.url, str(tmp_path)]
            teller = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT)
            await receiver.heard(20)
            teller.kill()
            said, _ = await teller.communicate()
            async with telling(options(receiver.url, directory=str(tmp_path))) as webhooks:
                await until(lambda: webhooks.figures()[0].pending == 0)
            return int(said.split()[-1]), sentences(receiver.requests)

    taken, heard = run(scenario())
    once = list(dict.fromkeys(heard))
    assert {f"member-{number % 3} is dead ({number})" for number in range(1, taken + 1)} <= set(once)
    for member in range(3):
        numbers = [int(sentence.split("(")[1][:-1]) for sentence in once if sentence.startswith(f"member-{member} ")]
        assert numbers == sorted(numbers)
    assert rows(tmp_path) == []


@pytest.mark.parametrize(
    "harm",
    [
        "garbage",
        "cut",
        "version",
        "table",
        "row",
        "text",
    ],
)
def test_a_file_that_is_no_good_is_set_aside_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    run(told_to_nobody(tmp_path))
    path = tmp_path / OUTBOX_FILE
    if harm == "garbage":
        path.write_bytes(os.urandom(8192))
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:4096])
    else:
        base = sqlite3.connect(path)
        if harm == "version":
            base.execute("PRAGMA user_version = 2")
        elif harm == "table":
            base.executescript("DROP TABLE outbox; CREATE TABLE outbox (x)")
        elif harm == "text":
            base.execute("UPDATE outbox SET body = x'ff00'")
            base.commit()
        else:
            base.execute("UPDATE outbox SET body = 7, told = 'noon' WHERE seq = (SELECT min(seq) FROM outbox)")
            base.commit()
        base.close()
    run(told_to_nobody(tmp_path, range(7, 8)))
    assert (tmp_path / f"{OUTBOX_FILE}.unreadable").exists()
    assert "it was set aside as" in caplog.text
    assert [entry.id for entry in rows(tmp_path)] == [notice(7).id]


def test_a_file_that_turns_bad_in_use_is_replaced_by_what_is_in_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with telling(options("http://127.0.0.1:1/", directory=str(tmp_path))) as webhooks:
            await webhooks.notify(notice(1))
            for name in (OUTBOX_FILE, f"{OUTBOX_FILE}-wal"):
                with (tmp_path / name).open("r+b") as file:
                    file.write(os.urandom(65_536))
            for number in range(2, 100):
                await webhooks.notify(notice(number))

    run(scenario())
    assert [entry.id for entry in rows(tmp_path)] == [notice(number).id for number in range(1, 100)]


def test_without_a_directory_that_can_be_written_the_memory_has_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = tmp_path / "missing"

    async def scenario() -> None:
        own = Receiver()
        async with own.serve() as receiver, telling(options(receiver.url, directory=str(missing))) as webhooks:
            await webhooks.notify(notice(1))
            await receiver.heard(1)
            assert webhooks.trouble == "it cannot be opened: No such file or directory; notices are held in memory only"

    run(scenario())
    assert "held in memory only" in caplog.text


def test_a_full_disk_is_said_and_made_up_for_once_there_is_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        receiver = Receiver(lambda request: b"")
        async with receiver.serve(), telling(options(receiver.url, directory=str(tmp_path))) as webhooks:
            await webhooks.notify(notice(1))
            with no_file_larger_than(largest(tmp_path)):
                for number in range(2, 20):
                    await webhooks.notify(notice(number))
                assert "in memory only" in webhooks.trouble
                await receiver.heard(3)
        assert webhooks.trouble == ""

    run(scenario())
    assert [entry.id for entry in rows(tmp_path)] == [notice(number).id for number in range(1, 20)]

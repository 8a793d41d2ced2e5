from __future__ import annotations

import asyncio
import logging

import pytest

from kubesonar.model import Fault
from kubesonar.net.clock import SystemClock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.reports.addresses import MOST_COLLECTORS, CollectorAddresses

LOG = logging.getLogger("kubesonar.reports")


class Answers(Resolver):
    """Each look-up has the next of these answers; an empty one fails."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self._answers = list(answers)

    async def resolve(self, host: str, deadline: Deadline, family: int = 0) -> list[str]:
        answer = self._answers.pop(0)
        if not answer:
            raise Failed(Fault.UNRESOLVED, f"{host}: no such name")
        return answer


def looked_up(to: list[str], *answers: list[str]) -> list[list[str]]:
    """The addresses after each look-up of all names."""

    async def work() -> list[list[str]]:
        collectors = CollectorAddresses(to, 5.0, SystemClock(), LOG, Answers(*answers))
        rounds = [await collectors.look_up() for _ in range(len(answers) // len(to))]
        collectors.close()
        return [[address for _, address in found] for found in rounds]

    return asyncio.run(work())


def test_a_name_that_cannot_be_looked_up_keeps_its_addresses() -> None:
    known = ["10.0.0.1", "10.0.0.2"]
    assert looked_up(["http://c:80"], known[::-1], [], ["10.0.0.3"]) == [known, known, ["10.0.0.3"]]


def test_each_time_that_a_name_fails_is_logged_and_so_is_that_it_is_well_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        looked_up(["http://c:80"], ["10.0.0.1"], [], [], ["10.0.0.1"], [], ["10.0.0.1"])
    said = [record.getMessage().removeprefix("http://c:80: ") for record in caplog.records]
    assert said == ["c: no such name", "well again", "c: no such name", "well again"]


def test_at_most_three_collectors_are_reported_to() -> None:
    (found,) = looked_up(["http://a:80", "http://b:80"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.3", "10.0.0.4"])
    assert found == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert len(found) == MOST_COLLECTORS

"""Reports to whoever coordinates, over real sockets."""

from __future__ import annotations

from pathlib import Path

from kubesonar.core.telemetry.reports.report import digest_of_kept
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import Member
from kubesonar.reports.auth.signed import SignedReports
from kubesonar.reports.coordinator_target import CoordinatorTarget
from tests.ports import free_port
from tests.reports.collecting import CLOCK, Collecting, Reporting
from tests.waiting import until
from tests.web.support import run


class Left:
    """What a coordinator leaves to its successor, and what it was shown of a predecessor's."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.digest = digest_of_kept(text)
        self.offered: list[str] = []
        self.names: list[str] = []

    def offer(self, text: str) -> None:
        self.offered.append(text)

    def given(self, name: str) -> None:
        self.names.append(name)


def test_agents_report_to_the_one_that_is_elected_and_show_what_the_one_before_has_left(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"1 {16 * 'ab'}\n")
    keys, port = Keyring({1: bytes.fromhex(16 * "ab")}, 1), free_port()
    elected: list[Member | None] = [None]

    async def work() -> None:
        target = CoordinatorTarget(lambda: elected[-1], port, lambda: keys, CLOCK)
        assert await target.look_up() == {}
        agent = Reporting(coordinator=target)
        agent.observe(2)
        first, second = Left("of the first"), Left()
        signed = SignedReports(str(tmp_path / "keys"), CLOCK)
        async with agent.running():
            elected.append(Member("a", "a", ("127.0.0.1",), 7473))
            async with Collecting(signed, port=port, succession=first).listening() as collector:
                await until(lambda: collector.trials == 2)
                agent.observe()
                await until(lambda: collector.trials == 3)  # so its first receipt has arrived
            elected.append(None)
            await until(lambda: not agent.sender.answered)
            async with Collecting(signed, port=port, succession=second).listening() as successor:
                elected.append(Member("b", "b", ("127.0.0.1",), 7473))
                await until(lambda: successor.trials == 3)
        assert (first.offered, second.offered[0]) == ([], "of the first")

    run(work)


def test_a_member_whose_address_is_not_known_is_not_reported_to() -> None:
    async def work() -> None:
        target = CoordinatorTarget(lambda: Member("a", "a", (), 7473), 7475, Keyring, CLOCK)
        assert await target.look_up() == {}
        six = CoordinatorTarget(lambda: Member("a", "a", ("fd00::1",), 7473), 7475, Keyring, CLOCK)
        assert list(await six.look_up()) == [("http://[fd00::1]:7475", "fd00::1")]

    run(work)

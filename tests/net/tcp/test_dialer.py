"""Which of a name's addresses is tried, in what order and for how long."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.tcp.dialer import ADDRESSES, Dialer, DialOptions, alternating
from kubesonar.net.tcp.stream import Stream
from tests.net.rig import run
from tests.net.servers import OK, saying, serving
from tests.ports import free_port

REFUSED = Failed(Fault.REFUSED, "connection refused")
AWAY = Failed(Fault.UNREACHABLE, "no route to host")
LATE = Failed(Fault.TIMEOUT, "no answer")


class Script:
    """Addresses that accept (None), fail, or do not answer (absent) before the deadline; `log` holds what was done."""

    def __init__(self, **at: Failed | None) -> None:
        self.log: list[str] = []
        self.patience: list[float] = []
        self.at = at

    def make(self, patience: float) -> ScriptedTry:
        self.patience.append(patience)
        return ScriptedTry(self)


class ScriptedTry:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._address = ""

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        self._address = address
        self._script.log.append(address)
        if address not in self._script.at:
            await deadline.wait()
            raise deadline.passed()
        failure = self._script.at[address]
        if failure is not None:
            raise failure

    def abort(self) -> None:
        self._script.log.append(f"abort {self._address}")


def dial(
    script: Script, *addresses: str, options: DialOptions | None = None, timeout: float = 5.0
) -> Dialer[ScriptedTry]:
    """The dialer after its connect, whose failure goes into the log."""

    async def scenario() -> Dialer[ScriptedTry]:
        dialer = Dialer(script.make, addresses, 80, options or DialOptions())
        with Deadline(timeout) as deadline:
            try:
                await dialer.connect(deadline)
            except Failed as failed:
                script.log.append(f"{failed.fault}: {failed.detail}")
        return dialer

    return run(scenario())


RACING = DialOptions(racing=True)


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["::1", "127.0.0.1"], ["::1", "127.0.0.1"]),
        (["::1", "::2", "::3", "10.0.0.1"], ["::1", "10.0.0.1", "::2", "::3"]),
        (["10.0.0.1", "10.0.0.2", "::1", "::2"], ["10.0.0.1", "::1", "10.0.0.2", "::2"]),
        (["unix:/run/x.sock"], ["unix:/run/x.sock"]),
        ([], []),
    ],
)
def test_families_take_turns(given: list[str], ordered: list[str]) -> None:
    assert alternating(given) == ordered


@pytest.mark.parametrize("options", [DialOptions(), RACING])
def test_the_first_that_accepts_is_taken_and_what_failed_before_it_is_told_by_family(options: DialOptions) -> None:
    script = Script(**{"::1": REFUSED, "127.0.0.1": None})
    dialer = dial(script, "::1", "127.0.0.1", options=options)
    assert (dialer.address, dialer.remark) == ("127.0.0.1", "IPv6, ::1: connection refused")
    assert script.log == ["::1", "127.0.0.1", "abort ::1"] or script.log == ["::1", "abort ::1", "127.0.0.1"]


@pytest.mark.parametrize("options", [DialOptions(), RACING])
def test_where_none_accepts_each_family_has_its_fault(options: DialOptions) -> None:
    script = Script(**{"::1": AWAY, "10.0.0.1": REFUSED, "10.0.0.2": REFUSED})
    dialer = dial(script, "::1", "10.0.0.1", "10.0.0.2", options=options)
    told = "IPv6, ::1: no route to host; IPv4, 10.0.0.1 and 10.0.0.2: connection refused"
    assert script.log[-1] == f"{Fault.REFUSED}: {told}"
    assert dialer.address == "10.0.0.2"


@pytest.mark.parametrize(
    ("order", "fault"),
    [(["::1", "10.0.0.1"], Fault.TIMEOUT), (["10.0.0.1", "::1"], Fault.TIMEOUT), (["::1", "::2"], Fault.UNREACHABLE)],
)
def test_a_family_without_a_route_here_does_not_hide_the_other_ones_fault(order: list[str], fault: Fault) -> None:
    script = Script(**{"::1": AWAY, "::2": AWAY, "10.0.0.1": LATE})
    dial(script, *order)
    assert script.log[-1].startswith(f"{fault}: ")


def test_the_failure_of_the_only_address_is_told_as_it_is() -> None:
    script = Script(**{"10.0.0.1": REFUSED})
    dial(script, "10.0.0.1")
    assert script.log == ["10.0.0.1", f"{Fault.REFUSED}: connection refused"]
    nobody = Script()
    dial(nobody)
    assert nobody.log == [f"{Fault.UNRESOLVED}: there is no address to connect to"]


def test_a_silent_address_leaves_its_share_to_the_next_ones() -> None:
    script = Script(**{"10.0.0.2": REFUSED})
    dial(script, "10.0.0.1", "10.0.0.2", timeout=0.2)
    assert script.patience == pytest.approx([0.1], abs=0.05)  # this script takes the whole time all the same
    shares = Script(**{f"10.0.0.{number}": REFUSED for number in range(9)})
    dial(shares, *(f"10.0.0.{number}" for number in range(9)), timeout=8.0)
    assert shares.patience == pytest.approx([2.0, 8 / 3, 4.0, 8.0], abs=0.5)
    assert len(shares.patience) == ADDRESSES


@pytest.mark.parametrize("racing", [False, True])
def test_who_asks_for_more_addresses_reaches_the_last_of_many(racing: bool) -> None:
    addresses = [f"10.0.0.{number}" for number in range(50)]
    script = Script(**dict.fromkeys(addresses[:-1], REFUSED), **{addresses[-1]: None})
    dialer = dial(script, *addresses, options=DialOptions(racing=racing, most=50))
    assert dialer.address == addresses[-1]
    assert [line for line in script.log if not line.startswith("abort")] == addresses


def test_in_a_race_a_silent_address_holds_nobody_up_and_is_given_up() -> None:
    script = Script(**{"10.0.0.1": None})
    dialer = dial(script, "::1", "10.0.0.1", options=RACING, timeout=30.0)
    assert (dialer.address, dialer.remark) == ("10.0.0.1", "")
    assert script.log == ["::1", "10.0.0.1", "abort ::1"]


def test_a_race_that_nobody_wins_ends_by_the_deadline() -> None:
    script = Script()
    dial(script, "::1", "10.0.0.1", options=RACING, timeout=0.6)
    assert script.log[-1].startswith(f"{Fault.TIMEOUT}: IPv")


@pytest.mark.parametrize("options", [DialOptions(), RACING])
def test_real_streams(options: DialOptions) -> None:
    """The server listens at one family only, as one whose other family is dead."""

    async def scenario() -> None:
        async with serving(saying(OK)) as port:
            dialer = Dialer(lambda patience: Stream(patience=patience), ["::1", "127.0.0.1"], port, options)
            with Deadline(5) as deadline:
                stream = await dialer.connect(deadline)
                stream.close()
            assert dialer.address == "127.0.0.1"
            assert dialer.remark.startswith("IPv6, ::1: ")

    run(scenario())


def test_a_cancelled_race_leaves_no_task() -> None:
    async def scenario() -> int:
        dialer = Dialer(Script().make, ["::1", "10.0.0.1"], free_port(), RACING)
        with Deadline(30) as deadline:
            task = asyncio.create_task(dialer.connect(deadline))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return len(asyncio.all_tasks())

    assert run(scenario()) == 1

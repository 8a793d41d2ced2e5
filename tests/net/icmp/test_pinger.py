from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from kubesonar.model import Fault, StampSource
from kubesonar.net.deadline import Deadline
from kubesonar.net.icmp.echo import EchoResult
from kubesonar.net.icmp.pinger import Pinger
from tests.net.rig import open_files, run, starve
from tests.programs import needs

SILENT = "198.51.100.7"
SCRIPT = f"""
import asyncio, json, os, socket, uvloop
from kubesonar.net.deadline import Deadline
from kubesonar.net.icmp.pinger import Pinger

def kind():
    for number in map(int, os.listdir("/proc/self/fd")):
        link = "/proc/self/fd/%d" % number
        if os.path.exists(link) and os.readlink(link).startswith("socket:"):
            with socket.socket(fileno=os.dup(number)) as found:
                if found.proto in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6):
                    return "raw" if found.type == socket.SOCK_RAW else "datagram"
    return "none"

async def main():
    pinger = Pinger()
    for address in ("127.0.0.1", "::1"):  # the kernel begins to stamp some time after it was asked to
        with Deadline(5) as deadline:
            await pinger.ping(address, deadline)
    await asyncio.sleep(0.05)
    for address in ("127.0.0.1", "::1", "198.51.100.1", "{SILENT}"):
        with Deadline(0.3) as deadline:
            echo = await pinger.ping(address, deadline)
        print(json.dumps([address, kind(), echo.fault, echo.clock, echo.detail]))
    pinger.close()

with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""


def _in_namespace(group_range: str, drop: bool = False) -> dict[str, list[str]]:
    """Pings in a network namespace of its own, where everything but loopback goes nowhere."""
    flags = ["-n"] if os.geteuid() == 0 else ["-Urn"]
    setup = f"ip link set lo up && echo '{group_range}' > /proc/sys/net/ipv4/ping_group_range"
    setup += " && ip route add unreachable 198.51.100.1 && ip link add v0 type veth peer name v1 && ip link set v0 up"
    setup += " && ip link set v1 up && ip addr add 192.0.2.1/24 dev v0"
    setup += f" && ip route add {SILENT} via 192.0.2.2 && ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev v0"
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if drop else []
    command = ["sh", "-c", f'{setup} && exec "$@"', "sh", *without, sys.executable, "-c", SCRIPT]
    done = subprocess.run(["unshare", *flags, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no namespace can be made here: {done.stderr.strip()[-200:]}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row[0]: row[1:] for row in rows}


@needs("unshare")
@pytest.mark.parametrize(("group_range", "kind"), [("0 0", "datagram"), ("1 0", "raw")])
def test_by_either_kind_of_socket(group_range: str, kind: str) -> None:
    found = _in_namespace(group_range)
    for address in ("127.0.0.1", "::1"):
        assert found[address] == [kind, None, "kernel", ""]
    assert found["198.51.100.1"][1] == "unreachable"
    assert found[SILENT][1] == "timeout"


@needs("setpriv")
def test_without_sysctl_and_capability_it_is_not_permitted() -> None:
    found = _in_namespace("1 0", drop=True)
    assert {row[1] for row in found.values()} == {"not_permitted"}
    assert "ping_group_range" in found["127.0.0.1"][3]


async def _ping(pinger: Pinger, address: str, timeout: float = 5) -> EchoResult:
    with Deadline(timeout) as deadline:
        return await pinger.ping(address, deadline)


def _permitted() -> None:
    async def scenario() -> EchoResult:
        pinger = Pinger()
        echo = await _ping(pinger, "127.0.0.1")
        pinger.close()
        return echo

    if run(scenario()).fault is Fault.NOT_PERMITTED:
        pytest.skip("ping is not permitted here")


def test_many_at_once_share_a_socket_and_each_gets_its_own_answer() -> None:
    _permitted()

    async def scenario() -> None:
        pinger = Pinger()
        targets = [f"127.0.0.{host}" for host in range(1, 251)] + ["::1"] * 50
        echoes = await asyncio.gather(*(_ping(pinger, target) for target in targets))
        pinger.close()
        assert {echo.fault for echo in echoes} == {None}
        assert all(0 < echo.rtt < 5 for echo in echoes)
        assert sum(echo.clock is StampSource.KERNEL for echo in echoes) > 290

    run(scenario())


def test_identifiers_rotate_and_what_is_on_its_way_still_arrives() -> None:
    _permitted()

    async def scenario() -> None:
        pinger = Pinger(rotation=0.0)  # each request opens a socket of its own
        await _ping(pinger, "127.0.0.1")
        files = open_files()
        for _ in range(20):
            echoes = await asyncio.gather(*(_ping(pinger, "127.0.0.1") for _ in range(5)))
            assert {echo.fault for echo in echoes} == {None}
        assert open_files() == files
        pinger.close()

    run(scenario())


def test_a_loop_that_stood_still_takes_the_answer_that_came() -> None:
    _permitted()

    async def scenario() -> EchoResult:
        pinger = Pinger()
        await _ping(pinger, "127.0.0.1")
        asyncio.get_running_loop().call_soon(starve, 0.3)
        echo = await _ping(pinger, "127.0.0.1", timeout=0.05)
        pinger.close()
        return echo

    echo = run(scenario())
    assert echo.fault is None
    assert echo.rtt < 0.05

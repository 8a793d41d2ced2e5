"""Facts of this machine, held against what other parts of the system say."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from kubesonar.net.clock import SystemClock
from kubesonar.runtime.node_facts import NodeFactsReader
from tests.waiting import until


def test_the_interfaces_the_kernel_and_the_resolver_are_told(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 10.96.0.10\nsearch svc.cluster.local\noptions ndots:5\n")

    mtu = int(Path("/sys/class/net/lo/mtu").read_text())

    async def work() -> None:
        reader = NodeFactsReader(str(file), ["127.0.0.9", "nobody.invalid"], SystemClock(), lambda: 0.26)
        found = reader.facts
        assert {one.name for one in found.interfaces} == {name for _, name in socket.if_nameindex()}
        loopback = next(one for one in found.interfaces if one.name == "lo")
        assert loopback.mtu == mtu
        assert "127.0.0.1/8" in loopback.addresses
        assert (found.nameservers, found.search) == (("10.96.0.10",), ("svc.cluster.local",))
        assert (found.ndots, found.throttled) == (5, 0.3)
        assert found.kernel == os.uname().release
        assert 0 < found.booted < SystemClock().wall()
        task = asyncio.create_task(reader.run())
        await until(lambda: reader.facts.looked_up)
        assert reader.facts.looked_up == {"127.0.0.9": ("127.0.0.9",), "nobody.invalid": ()}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        reader.close()

    asyncio.run(work())


@pytest.mark.parametrize("uptime", [None, "", "x y", "12"])
def test_what_the_kernel_does_not_say_is_not_known(tmp_path: Path, uptime: str | None) -> None:
    if uptime is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "uptime").write_text(uptime)

    async def work() -> None:
        reader = NodeFactsReader(str(tmp_path / "none"), [], SystemClock(), lambda: 7.0, str(tmp_path))
        assert (reader.facts.booted > 0) is (uptime == "12")
        assert (reader.facts.nameservers, reader.facts.throttled) == ((), 1.0)
        reader.close()

    asyncio.run(work())

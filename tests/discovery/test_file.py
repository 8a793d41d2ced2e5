import asyncio
import json
from pathlib import Path

import pytest

from kubesonar.discovery.file import FileRoster, RosterError, parse, read_members
from kubesonar.discovery.options import RosterOptions
from kubesonar.model import Network, Roster, State

GOOD = b"""
version: 1
members:
  - {name: a-pod, node: a, network: pod, zone: z1, addresses: [10.0.1.2, "fd00::2"], port: 7473}
  - {name: b-host, node: b, network: host, addresses: [10.0.0.2], port: 7473, state: draining, reason: upgrade}
"""


def many(count: int) -> bytes:
    entries = [
        {"name": f"m{i}", "node": f"n{i}", "addresses": [f"10.0.{i >> 8}.{i & 255}"], "port": 1} for i in range(count)
    ]
    return json.dumps({"version": 1, "members": entries}).encode()


def test_members_with_networks_states_and_both_families() -> None:
    first, second = parse(GOOD).members
    assert first.addresses == ("10.0.1.2", "fd00::2")
    assert first.expected
    assert (second.network, second.state, second.reason) == (Network.HOST, State.DRAINING, "upgrade")
    assert not second.expected


def test_a_state_of_a_later_version_is_no_error_and_excuses() -> None:
    roster = parse(GOOD.replace(b"state: draining", b"state: hibernating"))
    assert roster.members[1].state is State.OTHER
    assert not roster.members[1].expected


def test_ten_thousand_members_are_read_from_json() -> None:
    assert len(parse(many(10_000)).members) == 10_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is empty"),
        (b"   \n", "is empty"),
        (b"version: 2\nmembers: []", "has version 2, expected 1"),
        (b"members: []", "has version None"),
        (b"- 1", "has version None"),
        (GOOD.replace(b"b-host", b"a-pod"), "the name a-pod is there 2 times"),
        (
            GOOD.replace(b"node: b, network: host", b"node: a, network: pod"),
            "has a-pod and b-host with the same node, network and port",
        ),
        (GOOD.replace(b"10.0.0.2", b"10.0.0.256"), "10.0.0.256"),
        (GOOD.replace(b"10.0.0.2", b"224.0.0.1"), "224.0.0.1' is no IP address of one machine"),
        (GOOD.replace(b"10.0.0.2", b"0.0.0.0"), "0.0.0.0"),
        (GOOD.replace(b"10.0.0.2", b'"ff02::1"'), "ff02::1"),
        (GOOD.replace(b"10.0.0.2", b'"::"'), "'::'"),
        (GOOD.replace(b"10.0.0.2", b'"fd00:0::2"'), "a-pod and b-host at the same address, fd00:0::2 port 7473"),
        (GOOD.replace(b"a-pod", b'"a\\e[31m"'), "name"),
        (GOOD.replace(b"upgrade", b'"a\\nb"'), "reason"),
        (GOOD.replace(b"port: 7473}", b"port: 7473, epoch: 99999999999999999999}"), "epoch"),
        (GOOD.replace(b"network: host", b"network: moon"), "network: expected pod or host"),
        (GOOD.replace(b"port: 7473}", b"port: 0}"), "port"),
        (GOOD.replace(b"zone: z1", b"zoon: z1"), "zoon"),
        (b'{"version": 1, "members": [{"name": "a"', "truncated"),
        (b"[" * 100_000, "nest(ed|ing)"),
        (b'{"a":' * 100_000, "nest(ed|ing)"),
        (b"version: 1\nmembers: &a [*a]", "alias"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (GOOD.replace(b"a-pod", b'"a\xff"'), "is not UTF-8 text"),
        (b'{"version": 1, "members": "\xff"}', "is not JSON: text that is not UTF-8"),
        (GOOD.replace(b"a-pod", b'"\\ud800"'), "is not (UTF-8|YAML)"),
        (GOOD.replace(b"network: host,", b"network: host,!addresses: [x],"), "has a sequence as a key"),
        (GOOD.replace(b"network: host", b"? [host] : pod"), "has a sequence as a key"),
        (GOOD.replace(b"network: host", b"{a: b}: pod"), "has a mapping as a key"),
        (GOOD.replace(b"a-pod", b'!!int ""'), "has a value that cannot be read"),
        (GOOD.replace(b"a-pod", b"!!bool perhaps"), "has a value that cannot be read"),
        (GOOD.replace(b"a-pod", b"!!timestamp never"), "has a value that cannot be read"),
        (GOOD.replace(b"a-pod", b"2026-99-99"), "has a value that cannot be read"),
        (GOOD.replace(b"a-pod", b"!!map [a]"), "is not YAML"),
        (many(50_001), "length"),
    ],
)
def test_a_bad_file_is_refused_with_a_reason(text: bytes, says: str) -> None:
    with pytest.raises(RosterError, match=says):
        parse(text)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    huge = tmp_path / "members.yaml"
    with huge.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(RosterError, match="larger than 16 MiB"):
        read_members(str(huge))


def test_changes_are_followed_and_a_broken_file_keeps_the_last_roster(tmp_path: Path) -> None:
    file = tmp_path / "members.yaml"
    file.write_bytes(GOOD)
    seen: asyncio.Queue[Roster] = asyncio.Queue()

    async def scenario() -> None:
        roster = FileRoster(RosterOptions(file=str(file), poll=0.05), seen.put_nowait)
        watching = asyncio.create_task(roster.watch())
        first = await asyncio.wait_for(seen.get(), 10)
        assert [member.name for member in first.members] == ["a-pod", "b-host"]

        file.write_bytes(GOOD[:60])  # half written, by somebody who does not rename
        broken = await asyncio.wait_for(seen.get(), 10)
        assert broken.members == first.members
        assert str(file) in broken.stale

        file.unlink()
        gone = await asyncio.wait_for(seen.get(), 10)
        assert gone.members == first.members
        assert "cannot be read" in gone.stale

        file.write_bytes(GOOD.replace(b"draining", b"serving"))
        mended = await asyncio.wait_for(seen.get(), 10)
        assert mended.stale == ""
        assert all(member.expected for member in mended.members)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(scenario())

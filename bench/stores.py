"""What the stores take and cost: `python -m bench.stores` (a minute or three); figures in bench/results/stores.md.

Each store takes writes of one record of 600 bytes, 32 at a time. For etcd the bare client does the same puts with one
lease for all. Then writers into SQLite are killed, again and again (`--kills`, default 1,000).
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import uvloop

from bench._usage import own_cpu
from kubesonar.core.decoding import decode_json
from kubesonar.net.clock import SystemClock
from kubesonar.stores.etcd import EtcdStore
from kubesonar.stores.etcd_client import EtcdClient
from kubesonar.stores.etcd_options import EtcdOptions
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.sqlite import SqliteStore
from kubesonar.stores.store import Put, Store
from tests.stores.etcds import EtcdMembers

WRITES, AT_ONCE = 3000, 32
VALUE = b'{"text":"%s"}' % (b"x" * 589)


async def rate(name: str, write: Callable[[int], Awaitable[object]]) -> None:
    left = iter(range(WRITES))

    async def worker() -> None:
        for number in left:
            await write(number)

    began, before = time.monotonic(), own_cpu()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    took, spent = time.monotonic() - began, own_cpu() - before
    print(f"| {name} | {WRITES / took:,.0f} | {spent / WRITES * 1e6:.0f} |", flush=True)


def into(store: Store) -> Callable[[int], Awaitable[bool]]:
    return lambda number: store.write([Put("agents", f"agent-{number % 1000}", VALUE, 300.0)])


async def run(folder: Path, endpoints: tuple[str, ...]) -> None:
    clock = SystemClock()
    options = EtcdOptions(endpoints=endpoints)
    client, etcd = EtcdClient(options), EtcdStore(options)
    sqlite = SqliteStore(str(folder), 64 << 20, clock)

    lease = decode_json(await client.call("lease/grant", {"TTL": "300"}, msgspec.Raw), dict)["ID"]

    async def bare(number: int) -> None:
        key = b64encode(f"bare/{number % 1000}".encode()).decode()
        await client.call("kv/put", {"key": key, "value": b64encode(VALUE).decode(), "lease": lease}, msgspec.Raw)

    print("| store | writes a second | us of CPU a write |\n|---|---|---|")
    await rate("memory", into(MemoryStore(64 << 20, clock)))
    await rate("sqlite", into(sqlite))
    for _ in range(4):
        await rate("etcd, the bare client", bare)
        await rate("etcd", into(etcd))
    client.close()
    await etcd.close()
    await sqlite.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EtcdMembers(Path(folder)) as members:
        uvloop.run(run(Path(folder), members.endpoints))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "tests.stores.killing", folder, str(given.kills)], check=True)


if __name__ == "__main__":
    main()

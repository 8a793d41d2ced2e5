"""The store in etcd v3, which several replicas share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import ceil
from time import monotonic
from typing import Any

import msgspec

from kubesonar.stores.etcd_client import EtcdClient, EtcdError
from kubesonar.stores.etcd_options import EtcdOptions
from kubesonar.stores.store import (
    READ_LIMIT,
    Change,
    Guard,
    Put,
    StoredRecord,
    check_name,
    check_read,
    check_write,
    is_record_name,
    last_changes,
)

_PAGE = 100
"""Records of one answer of etcd. Higher: a page of the largest values takes more memory; lower: more round trips."""

_LEASES = 64
"""Times to live whose leases are remembered. Lower: more leases are granted; higher: more memory."""

_LEASE_NOT_FOUND = 5


class _KeyValue(msgspec.Struct, frozen=True):
    """A pair, whose bytes are base64 on the wire."""

    key: bytes = b""
    value: bytes = b""


class _Range(msgspec.Struct, frozen=True):
    kvs: tuple[_KeyValue, ...] = ()


class _Txn(msgspec.Struct, frozen=True):
    succeeded: bool = False


class _Lease(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="ID")


class EtcdStore:
    """Keeps the record `name` of `kind` under the key `<tree>/<kind>/<name>`, its value as it is. A time to live is a
    lease, which records that are written within a second or a hundredth of that time share, so that a lease is not
    granted for each. etcd has no limit of ours: its quota bounds it, and a full one is an outage. Keys of others below
    the tree, which are no record's, are passed over."""

    def __init__(self, options: EtcdOptions) -> None:
        self._client = EtcdClient(options)
        self._tree = options.tree.strip("/")
        self._leases: dict[float, tuple[str, float]] = {}
        self._granting = asyncio.Lock()

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        """As `Store.write`, in one transaction."""
        check_write(changes, guard)
        last = last_changes(changes)
        try:
            return await self._write(tuple(last.values()), guard)
        except EtcdError as error:
            if error.code != _LEASE_NOT_FOUND:
                raise
        self._leases.clear()  # etcd was restored from a backup, or somebody revoked it
        return await self._write(tuple(last.values()), guard)

    async def get(self, kind: str, name: str) -> bytes | None:
        """As `Store.get`."""
        check_name(kind, name)
        found = await self._client.call("kv/range", {"key": self._key(kind, name)}, _Range)
        return found.kvs[0].value if found.kvs else None

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        """As `Store.read`."""
        check_read(kind, prefix, after, limit)
        root = f"{self._tree}/{kind}/"
        first = max(f"{root}{prefix}", f"{root}{after}\0" if after else "").encode()
        end = f"{root}{prefix}"
        last = (end[:-1] + chr(ord(end[-1]) + 1)).encode()
        records: list[StoredRecord] = []
        while True:
            wanted = min(_PAGE, limit - len(records))
            body = {"key": first, "range_end": last, "limit": str(wanted)}
            page = (await self._client.call("kv/range", body, _Range)).kvs
            named = ((each.key.decode("utf-8", "replace")[len(root) :], each.value) for each in page)
            records += [StoredRecord(name, value) for name, value in named if is_record_name(name)]
            if len(page) < wanted or len(records) == limit:
                return records
            first = page[-1].key + b"\0"

    async def close(self) -> None:
        """Close idle connections. Leases go on, so that what was written stays for its time."""
        self._client.close()

    async def _write(self, changes: Sequence[Change], guard: Guard | None) -> bool:
        operations = [await self._operation(change) for change in changes]
        compare = [] if guard is None else [self._comparison(guard)]
        body = {"compare": compare, "success": operations}
        return (await self._client.call("kv/txn", body, _Txn, again=guard is None)).succeeded

    async def _operation(self, change: Change) -> dict[str, Any]:
        key = self._key(change.kind, change.name)
        if not isinstance(change, Put):
            return {"request_delete_range": {"key": key}}
        put: dict[str, Any] = {"key": key, "value": change.value}
        if change.time_to_live is not None:
            put["lease"] = await self._lease(change.time_to_live)
        return {"request_put": put}

    def _comparison(self, guard: Guard) -> dict[str, Any]:
        key = self._key(guard.kind, guard.name)
        if guard.value is None:
            return {"key": key, "target": "VERSION", "result": "EQUAL", "version": "0"}
        return {"key": key, "target": "VALUE", "result": "EQUAL", "value": guard.value}

    async def _lease(self, time_to_live: float) -> str:
        shared = max(1.0, time_to_live / 100)
        async with self._granting:
            lease, until = self._leases.get(time_to_live, ("", 0.0))
            if monotonic() >= until:
                begun = monotonic()
                body = {"TTL": str(ceil(time_to_live + shared))}
                lease = (await self._client.call("lease/grant", body, _Lease)).id
                if len(self._leases) >= _LEASES:
                    self._leases.pop(next(iter(self._leases)))
                self._leases[time_to_live] = lease, begun + shared
            return lease

    def _key(self, kind: str, name: str) -> bytes:
        return f"{self._tree}/{kind}/{name}".encode()

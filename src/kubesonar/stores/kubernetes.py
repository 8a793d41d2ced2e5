"""The store in the API server, as custom resources: for small clusters that permit no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import Object
from kubesonar.kube.resource import Resource, is_object_name
from kubesonar.net.clock import Clock
from kubesonar.stores.custom_kind import RECORDS, CustomKind, define
from kubesonar.stores.store import (
    READ_LIMIT,
    Change,
    Delete,
    Guard,
    Put,
    StoredRecord,
    StoreRefused,
    StoreUnavailable,
    check_name,
    check_read,
    check_write,
    last_changes,
)

RECORDS_LIMIT = 500
"""Most records of one kind, so most agents of the netchecker room. Each report is a write to the API server's etcd: at
netchecker's shortest usual interval, 15 s, so many are 33 writes a second, as many as the Leases of 330 nodes. Higher:
the cluster's own work suffers; lower: clusters that would be served well are refused."""

_EXPIRES = "kubesonar.io/expires"
_REFUSED = frozenset({400, 413, 422})
"""Statuses of a request that the API server takes neither now nor later."""

_SWEPT = 10
"""Expired objects deleted by one read. Higher: a burst of requests; lower: they stay longer, unseen."""


class _Kept(Object, frozen=True):
    spec: msgspec.Raw = msgspec.Raw(b"{}")


class KubernetesStore:
    """Keeps a record as the `spec` of an object in `namespace`, so that a value is read with its keys and spaces as the
    API server orders them, and guards compare what it means. `kinds` have custom resources of their own, the rest share
    `RECORDS`. A write of several records is done one by one after its guard was checked; only that of the guarded
    record itself is safe against others. More than `RECORDS_LIMIT` records of a kind are refused."""

    def __init__(self, client: Client, namespace: str, clock: Clock, kinds: Mapping[str, CustomKind] = {}) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._kinds = kinds
        self._defined: set[CustomKind] = set()
        self._versions: dict[tuple[str, str], str] = {}

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        """As `Store.write`, but see the class."""
        check_write(changes, guard)
        last = last_changes(changes)
        if guard is None:
            for change in last.values():
                await self._change(change)
            return True
        found = await self._object(guard.kind, guard.name)
        if not _same(None if found is None else bytes(found.spec), guard.value):
            return False
        own = last.pop((guard.kind, guard.name), None)
        version = "" if found is None else found.metadata.resource_version
        if own is not None and not await self._replace(own, version):
            return False
        for change in last.values():
            await self._change(change)
        return True

    async def get(self, kind: str, name: str) -> bytes | None:
        """As `Store.get`."""
        check_name(kind, name)
        found = await self._object(kind, name)
        return None if found is None else bytes(found.spec)

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        """As `Store.read`."""
        check_read(kind, prefix, after, limit)
        lead = self._kind(kind).object_name(kind, "")
        records, expired = [], []
        for item in await self._list(kind):
            name = item.metadata.name.removeprefix(lead)
            if self._expired(item):
                expired.append(item)
            elif name.startswith(prefix) and name > after:
                records.append(StoredRecord(name, bytes(item.spec)))
        for item in expired[:_SWEPT]:
            await self._delete(kind, item.metadata.name, item.metadata.resource_version)
        return sorted(records, key=lambda record: record.name)[:limit]

    async def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    async def _change(self, change: Change) -> None:
        key = change.kind, change.name
        for _ in range(3):
            version = self._versions.get(key)
            if version is None:
                found = await self._object(*key, also_expired=True)
                version = "" if found is None else found.metadata.resource_version
            if await self._replace(change, version):
                return
        raise StoreUnavailable(f"somebody else keeps changing {change.kind}/{change.name}")

    async def _replace(self, change: Change, version: str) -> bool:
        """Make the change where the object has this version, with "" where there is none; return whether it was."""
        self._versions.pop((change.kind, change.name), None)
        name = self._kind(change.kind).object_name(change.kind, change.name)
        if isinstance(change, Delete):
            return not version or await self._delete(change.kind, name, version)
        if not is_object_name(name):
            raise StoreRefused(f"the name {change.name!r} is none that the API server takes")
        if not version:
            await self._check_room(change)
        path = self._path(change.kind)
        method, path = ("PUT", f"{path}/{name}") if version else ("POST", path)
        done = await self._send(change.kind, method, path, encode_json(self._tree(change, name, version)), _Kept)
        if done is not None:
            self._versions[change.kind, change.name] = done.metadata.resource_version
        return done is not None

    async def _check_room(self, put: Put) -> None:
        known = len(await self._list(put.kind))
        if known >= RECORDS_LIMIT:
            raise StoreRefused(f"there are {known} records of {put.kind} already, the most for this store: use etcd")

    async def _delete(self, kind: str, name: str, version: str) -> bool:
        body = encode_json({"preconditions": {"resourceVersion": version}})
        return await self._send(kind, "DELETE", f"{self._path(kind)}/{name}", body, msgspec.Raw) is not None

    async def _object(self, kind: str, name: str, *, also_expired: bool = False) -> _Kept | None:
        path = f"{self._path(kind)}/{self._kind(kind).object_name(kind, name)}"
        try:
            found = await self._client.get(path, _Kept)
        except ApiError as error:
            if error.status == 404:
                return None
            raise _failure(error) from None
        return found if also_expired or not self._expired(found) else None

    async def _list(self, kind: str) -> list[_Kept]:
        lead = self._kind(kind).object_name(kind, "")
        try:
            await self._define(kind)
            listing = await self._client.list(Resource(self._path(kind), _Kept), "")
        except ApiError as error:
            raise _failure(error) from None
        return [item for item in listing.items if item.metadata.name.startswith(lead)]

    async def _send(self, kind: str, method: str, path: str, body: bytes, type: type[Any]) -> Any:
        """Return the answer; None where the object is not what it was taken to be."""
        try:
            await self._define(kind)
            return await self._client.send(method, path, body, type)
        except ApiError as error:
            if error.status == 409 or (error.status == 404 and method != "POST"):
                return None
            raise _failure(error) from None

    async def _define(self, kind: str) -> None:
        """Create the definition once; without the right to, it is taken to be there."""
        custom = self._kind(kind)
        if custom not in self._defined:
            try:
                await define(self._client, custom)
            except ApiError as error:
                if error.status != 403:
                    raise
            self._defined.add(custom)

    def _kind(self, kind: str) -> CustomKind:
        return self._kinds.get(kind, RECORDS)

    def _path(self, kind: str) -> str:
        return self._kind(kind).path(self._namespace)

    def _tree(self, put: Put, name: str, version: str) -> dict[str, Any]:
        custom = self._kind(put.kind)
        metadata: dict[str, Any] = {"name": name, "namespace": self._namespace}
        if version:
            metadata["resourceVersion"] = version
        if put.time_to_live is not None:
            metadata["annotations"] = {_EXPIRES: f"{self._clock.wall() + put.time_to_live:.3f}"}
        spec = msgspec.Raw(put.value)
        return {"apiVersion": f"{custom.group}/v1", "kind": custom.kind, "metadata": metadata, "spec": spec}

    def _expired(self, item: _Kept) -> bool:
        try:
            return float(item.metadata.annotations.get(_EXPIRES, "inf")) <= self._clock.wall()
        except ValueError:  # somebody else's annotation
            return False


def _same(one: bytes | None, other: bytes | None) -> bool:
    if one is None or other is None:
        return one is other
    try:
        return decode_json(one, dict) == decode_json(other, dict)
    except Undecodable:
        return False


def _failure(error: ApiError) -> StoreUnavailable | StoreRefused:
    return (StoreRefused if error.status in _REFUSED else StoreUnavailable)(str(error))

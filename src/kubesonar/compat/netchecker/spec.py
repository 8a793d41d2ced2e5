"""The record of an agent: what it sends, what is stored, and what the server shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from kubesonar.core.decoding import Undecodable, convert_plain, decode_json
from kubesonar.kube.object_meta import unix_seconds

ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time, as a record shows a time that nobody has set."""

NONSENSE_MS = 9_000_000_000_000
"""Milliseconds from which a duration is none: the original agent sends 9223372036854 for times that it did not measure.
Lower: a duration of 285 years is hidden; higher: nonsense is shown."""

_MAX_INT = 2**63 - 1
_Int = Annotated[int, msgspec.Meta(ge=-_MAX_INT, le=_MAX_INT)]
_Name = Annotated[str, msgspec.Meta(max_length=253)]
_Time = Annotated[
    str, msgspec.Meta(max_length=64, pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
]
_Word = Annotated[str, msgspec.Meta(max_length=2048)]
_Addresses = Annotated[list[_Word], msgspec.Meta(max_length=16_384)]
"""Addresses of one interface. With kube-proxy's mode IPVS a node's kube-ipvs0 has one for each Service of the
cluster."""

_AddressMap = Annotated[dict[_Word, _Addresses | None], msgspec.Meta(max_length=1024)]


class ProbeResult(msgspec.Struct, frozen=True):
    """One probed URL: the connection (1: obtained), the status, and durations in milliseconds."""

    url: _Word = msgspec.field(name="URL", default="")
    connection_result: _Int = msgspec.field(name="ConnectionResult", default=0)
    http_code: _Int = msgspec.field(name="HTTPCode", default=0)
    total: _Int = msgspec.field(name="Total", default=0)
    content_transfer: _Int = msgspec.field(name="ContentTransfer", default=0)
    tcp_connection: _Int = msgspec.field(name="TCPConnection", default=0)
    dns_lookup: _Int = msgspec.field(name="DNSLookup", default=0)
    connect: _Int = msgspec.field(name="Connect", default=0)
    server_processing: _Int = msgspec.field(name="ServerProcessing", default=0)


class AgentSpec(msgspec.Struct, frozen=True):
    """The record, in the order of the original's keys; what an agent of an older version does not send has Go's zero
    value. `report_interval` and `uptime` are in seconds; `uptime` is the node's."""

    report_interval: _Int = 0
    nodename: _Name = ""
    podname: _Name = ""
    hostdate: _Time = ZERO_TIME
    uptime: Annotated[int, msgspec.Meta(ge=0, le=_MAX_INT)] = 0
    last_updated: _Time = ZERO_TIME
    nslookup: _AddressMap | None = None
    network_probes: Annotated[list[ProbeResult], msgspec.Meta(max_length=256)] | None = None
    ips: _AddressMap | None = None

    def received(self, now: float) -> AgentSpec:
        """Return it as the server keeps it: received at `now` (Unix seconds), in order."""
        return msgspec.structs.replace(self.in_order(), last_updated=go_time(now))

    def in_order(self) -> AgentSpec:
        """Return it with maps in the order of their keys, as Go writes maps."""
        return msgspec.structs.replace(self, nslookup=_ordered(self.nslookup), ips=_ordered(self.ips))

    @property
    def updated(self) -> float:
        """The time when the server received it (Unix seconds)."""
        return unix_seconds(self.last_updated)


def decode_spec(data: bytes) -> AgentSpec:
    """Return the record in JSON, in which null stands for a value that is not given, as for Go. Raises Undecodable."""
    try:
        return decode_json(data, AgentSpec)
    except Undecodable:
        if b"null" not in data:
            raise
        return convert_plain(_with_zeros(decode_json(data, object)), AgentSpec)


def _with_zeros(tree: object) -> object:
    """Return a plain record without the nulls that its type has no room for."""
    if not isinstance(tree, dict | None):
        return tree
    given = _given(tree)
    probes = given.get("network_probes")
    if isinstance(probes, list):
        given["network_probes"] = [_given(probe) if isinstance(probe, dict | None) else probe for probe in probes]
    return given


def _given(tree: Mapping[str, object] | None) -> dict[str, object]:
    return {name: value for name, value in (tree or {}).items() if value is not None}


_Value = TypeVar("_Value")


def _ordered(values: Mapping[str, _Value] | None) -> dict[str, _Value] | None:
    return None if values is None else dict(sorted(values.items()))


def go_time(seconds: float) -> str:
    """Return Unix seconds as Go writes a time of UTC with time.RFC3339Nano, to the microsecond."""
    micros = round(seconds * 1e6)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1_000_000))
    fraction = f".{micros % 1_000_000:06d}".rstrip("0").rstrip(".")
    return f"{whole}{fraction}Z"


def payload(spec: AgentSpec, zeros: int) -> dict[str, Any]:
    """Return what an agent sends, in the order of the original's keys; `zeros` numbers push it above one MTU."""
    return {
        "report_interval": spec.report_interval,
        "nodename": spec.nodename,
        "podname": spec.podname,
        "hostdate": spec.hostdate,
        "uptime": spec.uptime,
        "nslookup": spec.nslookup,
        "ips": spec.ips,
        "network_probes": spec.network_probes,
        "zero_extender": [0] * zeros,
    }

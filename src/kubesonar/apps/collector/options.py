"""All options of a collector: those of each room, assembled into one tree."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from kubesonar.core.telemetry.reports.mirrors import MirrorOptions
from kubesonar.model import Seconds
from kubesonar.reports.options import IntakeOptions
from kubesonar.runtime.logs import LogOptions
from kubesonar.web import LimitOptions, ListenOptions

COLLECTOR_PORT = 7475
"""Default port of a collector."""


class StoreKind(StrEnum):
    """Where a collector keeps what outlives it."""

    SQLITE = "sqlite"
    MEMORY = "memory"


class CollectorStoreOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where incidents are kept, how much of them and how long."""

    kind: Annotated[
        StoreKind, msgspec.Meta(description="sqlite: a file in `directory`; memory: nothing outlives the process.")
    ] = StoreKind.MEMORY
    directory: Annotated[str, msgspec.Meta(max_length=4096, description="Directory of the SQLite file.")] = ""
    size: Annotated[int, msgspec.Meta(ge=1 << 20, le=1 << 40, description="Most bytes that are kept.")] = 256 << 20
    retention: Annotated[
        Seconds, msgspec.Meta(ge=3600, le=1e9, description="Closed incidents are kept for this long.")
    ] = 30 * 86_400.0

    def __post_init__(self) -> None:
        if self.kind is StoreKind.SQLITE and not self.directory:
            raise ValueError("directory: expected a directory, because kind is sqlite")


class CollectorApiOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may read, and what clients are limited to."""

    token_file: Annotated[
        str,
        msgspec.Meta(
            max_length=4096,
            description="File of bearer tokens, one a line, that reads need; read again when it changes. Empty: none.",
        ),
    ] = ""
    limits: LimitOptions = LimitOptions(connections=16_384, body=8 << 20, response=60.0)
    streams: Annotated[
        int, msgspec.Meta(ge=0, le=10_000, description="Most clients that follow changes (server-sent events) at once.")
    ] = 100


class CollectorOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The configuration of `kubesonar collector`."""

    listen: Annotated[
        tuple[ListenOptions, ...],
        msgspec.Meta(min_length=1, max_length=16, description="Addresses on which it takes reports and answers."),
    ] = (ListenOptions(address=f":{COLLECTOR_PORT}"),)
    reports: IntakeOptions = IntakeOptions()
    agents: MirrorOptions = MirrorOptions()
    store: CollectorStoreOptions = CollectorStoreOptions()
    api: CollectorApiOptions = CollectorApiOptions()
    log: LogOptions = LogOptions()

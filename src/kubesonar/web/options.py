"""Options of a listener, and the limits of its clients."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.model import Seconds


class ListenOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Address, permissions and certificate of one listener."""

    address: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=260,
            description="HOST:PORT, [V6]:PORT, :PORT (every address), unix:PATH or fd:NUMBER (a TCP socket that the "
            "process was started with and that listens); HOST is an IP address.",
        ),
    ]
    socket_mode: Annotated[
        str, msgspec.Meta(pattern=r"^0?[0-7]{3}\Z", description="Permissions of a Unix socket, in octal.")
    ] = "0600"
    certificate_file: Annotated[
        str,
        msgspec.Meta(description="PEM chain of a TLS server certificate; read again when it changes. Empty: no TLS."),
    ] = ""
    key_file: Annotated[str, msgspec.Meta(description="PEM key of the certificate; empty: in the same file.")] = ""


class LimitOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Connections, sizes and times that the clients of one listener are limited to."""

    connections: Annotated[
        int,
        msgspec.Meta(ge=1, le=65_536, description="Most connections of a listener; a new one displaces an idle one."),
    ] = 64
    head: Annotated[
        int, msgspec.Meta(ge=256, le=1 << 20, description="Largest request line and headers, in bytes.")
    ] = 16 << 10
    body: Annotated[int, msgspec.Meta(ge=0, le=1 << 30, description="Largest request body, in bytes.")] = 64 << 10
    request: Annotated[
        Seconds, msgspec.Meta(gt=0, le=600, description="A request must have arrived in full within this time.")
    ] = 10.0
    idle: Annotated[
        Seconds, msgspec.Meta(gt=0, le=3600, description="A connection without a request is closed after this time.")
    ] = 75.0
    response: Annotated[
        Seconds, msgspec.Meta(gt=0, le=600, description="A client must have taken its response within this time.")
    ] = 30.0

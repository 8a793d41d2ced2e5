"""Options of notices: the receivers, and how their webhooks are delivered."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.core.delivery.retry_queue import DeliveryOptions
from kubesonar.model import Condition, Seconds

_File = Annotated[str, msgspec.Meta(max_length=4096)]


class ReceiverOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One receiver of notices."""

    name: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z",
            description="Its name in logs, metrics and the outbox.",
        ),
    ]
    url: Annotated[str, msgspec.Meta(max_length=2048, description="http or https URL to which notices are posted.")] = (
        ""
    )
    url_file: Annotated[_File, msgspec.Meta(description="File with the URL, where it is a secret itself.")] = ""
    format: Annotated[
        str, msgspec.Meta(max_length=64, description="native, alertmanager, or the body of an older tool.")
    ] = "native"
    only: Annotated[
        tuple[Condition, ...], msgspec.Meta(max_length=16, description="The conditions it is told of; empty: all.")
    ] = ()
    secret_file: Annotated[
        _File,
        msgspec.Meta(
            description="File of secrets (whsec_…), one a line, that sign by the Standard Webhooks scheme; read again "
            "when it changes. Empty: not signed.",
        ),
    ] = ""
    token_file: Annotated[
        _File,
        msgspec.Meta(description="File whose first line is shown as bearer token; read again when it changes."),
    ] = ""
    ca_file: Annotated[_File, msgspec.Meta(description="CA certificates to trust (PEM); empty: the system's.")] = ""


class NotifyOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Webhooks about members."""

    receivers: Annotated[
        tuple[ReceiverOptions, ...], msgspec.Meta(max_length=16, description="Receivers of webhooks.")
    ] = ()
    directory: Annotated[
        _File,
        msgspec.Meta(description="Directory for the outbox, which then survives a restart. Empty: in memory only."),
    ] = ""
    connect: Annotated[
        Seconds, msgspec.Meta(gt=0, le=60, description="A receiver's address must accept within this time.")
    ] = 3.0
    timeout: Annotated[Seconds, msgspec.Meta(gt=0, le=300, description="A receiver must answer within this time.")] = (
        10.0
    )
    hosts: Annotated[
        tuple[str, ...],
        msgspec.Meta(max_length=100, description="Hosts that receivers may be at, as a.b.c or *.b.c; empty: any."),
    ] = ()
    networks: Annotated[
        tuple[str, ...],
        msgspec.Meta(max_length=100, description="Networks that receivers' addresses must lie in; empty: any."),
    ] = ()
    link: Annotated[
        str,
        msgspec.Meta(
            max_length=2048, description="URL where people find more: the source of alerts that have no page."
        ),
    ] = ""
    delivery: DeliveryOptions = DeliveryOptions()

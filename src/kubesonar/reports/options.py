"""Options of reports: where an agent sends them, and whose a collector takes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from kubesonar.model import Seconds
from kubesonar.net.http.url import is_origin

_File = Annotated[str, msgspec.Meta(max_length=4096)]


class ReportOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reports of this agent to collectors."""

    to: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            max_length=3,
            description="URLs of collectors, as http://HOST:PORT or https://HOST:PORT. Each address of the name of a "
            "headless Service is a collector of its own. Empty: nothing is reported.",
        ),
    ] = ()
    token_file: Annotated[
        _File,
        msgspec.Meta(description="File whose first line is shown as bearer token; read again when it changes."),
    ] = ""
    ca_file: Annotated[_File, msgspec.Meta(description="CA certificates to trust (PEM); empty: the system's.")] = ""
    timeout: Annotated[
        Seconds, msgspec.Meta(gt=0, le=60, description="A collector must have taken a report within this time.")
    ] = 5.0

    def __post_init__(self) -> None:
        for text in self.to:
            if not is_origin(text):
                raise ValueError(f'to: got "{text[:80]}", expected http://HOST:PORT or https://HOST:PORT')


class ReportAuthority(StrEnum):
    """The proof by which a collector knows whose a report is."""

    SECRET = "secret"
    KEYS = "keys"
    TOKEN = "token"
    REVIEW = "review"
    NONE = "none"


class IntakeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The reports that the collector takes."""

    auth: Annotated[
        ReportAuthority,
        msgspec.Meta(
            description="secret: who shows a line of secret_file may report as any member. keys: who signs with a key "
            "of keys_file may; a coordinator that judges takes reports so. token: a service account's "
            "token, verified with the cluster's published keys. review: the same, verified by the API server "
            "(TokenReview). none: anybody may report as any member, of those only that the collector knows where it "
            "watches the cluster (roster.source: kubernetes)."
        ),
    ] = ReportAuthority.SECRET
    secret_file: Annotated[
        _File, msgspec.Meta(description="File of secrets, one a line; read again when it changes.")
    ] = ""
    keys_file: Annotated[
        _File,
        msgspec.Meta(description="File of the mesh's keys, as agents' keys.file; read again when it changes."),
    ] = ""
    audience: Annotated[
        str, msgspec.Meta(min_length=1, max_length=253, description="The audience that tokens must be made for.")
    ] = "kubesonar"
    account: Annotated[
        str,
        msgspec.Meta(
            max_length=508,
            description="The service account that agents run as, as NAMESPACE/NAME. Empty: any of the cluster's.",
        ),
    ] = ""
    kubeconfig: Annotated[
        _File, msgspec.Meta(description="Kubeconfig for the API server; empty: the pod's service account.")
    ] = ""

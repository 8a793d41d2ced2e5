"""Options of replicas: where the others are, and how one of them is elected."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.net.http.url import is_origin

_File = Annotated[str, msgspec.Meta(max_length=4096)]


class ReplicaOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Several collectors of one cluster: one leads, and the others hold what it keeps."""

    name: Annotated[
        str,
        msgspec.Meta(max_length=253, description="Name of this replica in answers and logs; empty: the host's name."),
    ] = ""
    peers: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            max_length=3,
            description="URLs of the replicas, this one may be among them, as http://HOST:PORT or https://HOST:PORT. "
            "Each address of the name of a headless Service is a replica. Empty: there is only this one.",
        ),
    ] = ()
    token_file: Annotated[
        _File,
        msgspec.Meta(
            description="File of tokens, one a line, by which replicas know each other; the first one is shown. Read "
            "again when it changes."
        ),
    ] = ""
    ca_file: Annotated[_File, msgspec.Meta(description="CA certificates to trust (PEM); empty: the system's.")] = ""
    lease: Annotated[
        str,
        msgspec.Meta(
            max_length=253,
            pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?\Z",
            description="Lease by which the leader is elected, where each replica has a store of its own (sqlite, "
            "memory). With a shared store (etcd, kubernetes) a record in that elects.",
        ),
    ] = ""
    kubeconfig: Annotated[
        _File, msgspec.Meta(description="Kubeconfig for the Lease; empty: the pod's service account.")
    ] = ""

    def __post_init__(self) -> None:
        for text in self.peers:
            if not is_origin(text):
                raise ValueError(f'peers: got "{text[:80]}", expected http://HOST:PORT or https://HOST:PORT')
        if self.peers and not self.token_file:
            raise ValueError("token_file: expected a file, because there are peers")

"""A certificate authority for one run of the lab."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import trustme


class Certificates(msgspec.Struct, frozen=True):
    """PEM files: the authority that clients trust, and the server's chain and key."""

    authority: Path
    chain: Path
    key: Path


def make_certificates(directory: Path, identities: Iterable[str]) -> Certificates:
    """Write an authority, and a server certificate for these names and IP addresses, into `directory`. Only the owner
    may read the key; the authority's key is not written. Raises OSError."""
    made = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    authority = trustme.CA(organization_name="kubesonar lab")
    server = authority.issue_cert(*identities)
    made.key.touch(mode=0o600)
    server.private_key_pem.write_to_path(str(made.key))
    made.chain.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
    authority.cert_pem.write_to_path(str(made.authority))
    return made

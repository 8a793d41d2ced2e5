"""The document that a collector which watches the cluster hands to agents: who the members are, and what else is
checked."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from kubesonar.core.decoding import decode_document
from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.model import Roster

CLUSTER_PATH = "/api/v1/cluster"
"""The path at which a collector hands it out, by GET."""

CLUSTER_SCHEMA = 1
"""Version of the document; raised when a reader of the version before could misread one."""


class ClusterDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """The roster, and the Services that agents check, as `cluster_facts.Surroundings` has them. `complete` is whether
    the API server has answered to all of that, if only by a refusal."""

    schema: int
    roster: Roster
    dns_pods: tuple[DnsPod, ...] = ()
    vips: tuple[str, ...] = ()
    service: tuple[ServiceEndpoint, ...] = ()
    lost: tuple[str, ...] = ()
    complete: bool = False


def decode_cluster(body: bytes) -> ClusterDocument | str:
    """Return the document in `body`, or the reason why there is none."""
    return decode_document(body, ClusterDocument, CLUSTER_SCHEMA, "list of members")


def entity_tag(body: bytes) -> str:
    """Return the ETag of a document (RFC 9110, section 8.8.3)."""
    return f'"{sha256(body).hexdigest()[:32]}"'

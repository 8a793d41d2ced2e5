"""Options of a Lease, apart from the code that holds one, which most agents need not load."""

from __future__ import annotations

from typing import Annotated

import msgspec


class LeaseOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The Lease that a coordinator must hold to send notices."""

    name: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^([a-z0-9]([a-z0-9.-]{0,240}[a-z0-9])?)?\Z",
            description="Its name; that of the host network has -host behind it. Empty: none. Needs the rights to get, "
            "create and patch leases.",
        ),
    ] = ""
    namespace: Annotated[str, msgspec.Meta(max_length=63, description="Its namespace; empty: the agent's own.")] = ""
    duration: Annotated[
        int,
        msgspec.Meta(
            ge=3, le=300, description="Who did not renew it for so long has lost it; it is renewed each third."
        ),
    ] = 6

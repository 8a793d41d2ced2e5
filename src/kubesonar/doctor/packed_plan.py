"""A plan as one word of a command line: it goes through the API server in a URL, which proxies in between keep
short."""

from __future__ import annotations

import base64
import zlib

from kubesonar.core.address import packed_address
from kubesonar.core.decoding import decode_json
from kubesonar.core.dns.names import encode_name, longest_name
from kubesonar.core.dns_check.questions import AskPlan
from kubesonar.core.encoding import encode_json

PLAN_LIMIT = 1 << 20
"""Longest plan that is unpacked, in bytes; a larger one is no plan of a doctor's."""


def pack_plan(plan: AskPlan) -> str:
    """Return the plan as ASCII without white space: JSON, compressed, in base64."""
    return base64.urlsafe_b64encode(zlib.compress(encode_json(plan), 9)).decode()


def unpack_plan(text: str) -> AskPlan:
    """Return the plan in what `pack_plan` made. Raises ValueError for anything else, and for a plan that cannot be
    carried out."""
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True), PLAN_LIMIT)
    except zlib.error as error:
        raise ValueError(f"not a packed plan: {error}") from None
    if not unpacking.eof:
        raise ValueError(f"not a packed plan of at most {PLAN_LIMIT} bytes")
    plan = decode_json(data, AskPlan)
    for server in plan.servers:
        packed_address(server.address)
    for ask in plan.asks:
        encode_name(longest_name(ask.name))
    return plan

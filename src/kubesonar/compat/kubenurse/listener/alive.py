"""The body of /alive: the flat keys that were documented, and today's `last_check_result` beside them."""

from __future__ import annotations

from typing import Any

from kubesonar.compat.kubenurse.go.json import go_json
from kubesonar.compat.kubenurse.neighbours.selection import Neighbour
from kubesonar.compat.kubenurse.rounds import RoundResult
from kubesonar.core.address import bracketed
from kubesonar.core.hash_ring import place
from kubesonar.web.asgi import Scope

_FLAT = ("api_server_direct", "api_server_dns", "me_ingress", "me_service")


def body(hostname: str, scope: Scope, result: RoundResult) -> bytes:
    """What a request is answered with, itself included."""
    headers = headers_of(scope)
    flat = {key: result.checks[key] for key in _FLAT}
    today: dict[str, Any] = {
        **result.checks,
        "neighbourhood": [_today(neighbour) for neighbour in result.neighbours],
        "neighbourhood_state": result.state,
    }
    return go_json(
        {
            "hostname": hostname,
            "headers": headers,
            "user_agent": headers.get("User-Agent", [""])[0],
            "request_uri": request_uri(scope),
            "remote_addr": remote_address(scope),
            **flat,
            "neighbourhood_state": result.state,
            "neighbourhood": [_documented(neighbour) for neighbour in result.neighbours],
            "last_check_result": dict(sorted(today.items())),
        }
    )


def headers_of(scope: Scope) -> dict[str, list[str]]:
    """The request's headers by name, sorted, without Host, names as Go writes them."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        if name != b"host":
            canonical = "-".join(word.capitalize() for word in name.decode("latin-1").split("-"))
            found.setdefault(canonical, []).append(value.decode("utf-8", "replace"))
    return dict(sorted(found.items()))


def request_uri(scope: Scope) -> str:
    """The request's target as it was sent."""
    query: bytes = scope["query_string"]
    raw: bytes = scope["raw_path"]
    return (raw + b"?" + query if query else raw).decode("utf-8", "replace")


def remote_address(scope: Scope) -> str:
    """ "10.0.0.1:4711" or "[fd00::1]:4711"; empty for a Unix socket."""
    client = scope["client"]
    if not client or client[1] is None:
        return ""
    host, port = client[0].removeprefix("::ffff:"), client[1]
    return f"{bracketed(host)}:{port}"


def _documented(neighbour: Neighbour) -> dict[str, Any]:
    return {
        "PodName": neighbour.pod,
        "PodIP": neighbour.address,
        "HostIP": neighbour.host,
        "NodeName": neighbour.node,
        "NodeSchedulable": neighbour.schedulable,
        "Phase": neighbour.phase,
        "Terminating": False,
        "NodeHash": place(neighbour.node),
    }


def _today(neighbour: Neighbour) -> dict[str, Any]:
    keys = ("PodName", "PodIP", "HostIP", "NodeName", "NodeHash")
    known = _documented(neighbour)
    return {key: known[key] for key in keys}

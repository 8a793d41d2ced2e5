"""The body of /alive: the documented flat keys, and the `last_check_result` of later releases beside them."""

from __future__ import annotations

from typing import Any

from kubesonar.compat.go_json import go_json
from kubesonar.compat.kubenurse.checks.rounds import RoundResult
from kubesonar.compat.kubenurse.neighbours.selection import Neighbour
from kubesonar.core.address import bracketed
from kubesonar.core.hash_ring import place
from kubesonar.web import Request

_FLAT = ("api_server_direct", "api_server_dns", "me_ingress", "me_service")


def body(hostname: str, request: Request, result: RoundResult) -> bytes:
    """Return the body for a request, which it describes beside the result."""
    headers = headers_of(request)
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
            "request_uri": request.target.decode("utf-8", "replace"),
            "remote_addr": remote_address(request),
            **flat,
            "neighbourhood_state": result.state,
            "neighbourhood": [_documented(neighbour) for neighbour in result.neighbours],
            "last_check_result": dict(sorted(today.items())),
        }
    )


def headers_of(request: Request) -> dict[str, list[str]]:
    """Return the request's headers by name, sorted, without Host, the names as Go writes them."""
    found: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name != b"host":
            canonical = "-".join(word.capitalize() for word in name.decode("latin-1").split("-"))
            found.setdefault(canonical, []).append(value.decode("utf-8", "replace"))
    return dict(sorted(found.items()))


def remote_address(request: Request) -> str:
    """Return "10.0.0.1:4711" or "[fd00::1]:4711"; empty for a Unix socket."""
    if request.client is None:
        return ""
    host, port = request.client
    return f"{bracketed(host.removeprefix('::ffff:'))}:{port}"


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

"""The room in the lab: its variables there, and the acceptance test of the older tool's own releases."""

from __future__ import annotations

from kubesonar.compat import LabPlacement, RoomRequest
from kubesonar.core.address import bracketed

_EXPECTED = (
    ("/alive", b'"neighbourhood_state": "ok"'),
    ("/alive", b'"neighbourhood": ['),
    ("/metrics", b"kubenurse_httpclient_request_"),
    ("/metrics", b'type="path_'),
)
_ERRORS = b"kubenurse_errors_total"


class KubenurseAcceptance:
    """The `AcceptanceTest` of kubenurse."""

    def environ(self, place: LabPlacement) -> dict[str, str]:
        """Return the variables. The API server's second address replaces its name: the lab's nodes have no resolver."""
        listen = [f"{bracketed(address)}:{place.port}" for address in place.addresses]
        return {
            "KUBENURSE_LISTEN": ",".join([*listen, f"unix:{place.socket}"]),
            "KUBENURSE_INGRESS_URL": place.entrance,
            "KUBENURSE_SERVICE_URL": place.entrance,
            "KUBENURSE_CHECK_INTERVAL": "3s",
            "KUBENURSE_SHUTDOWN_DURATION": "0s",
            "KUBENURSE_POD_NAME": place.pod,
            "KUBENURSE_NODE_NAME": place.node,
            "KUBENURSE_SERVICE_ACCOUNT": place.account,
            "KUBERNETES_SERVICE_HOST": place.api_addresses[0],
            "KUBERNETES_SERVICE_PORT": str(place.api_port),
            "KUBERNETES_SERVICE_DNS": place.api_addresses[-1],
        }

    async def failure(self, ask: RoomRequest) -> str:
        """Return what /alive or /metrics lack, and which error /metrics counts."""
        bodies: dict[str, bytes] = {}
        for path in ("/alive", "/metrics"):
            status, bodies[path] = await ask(path)
            if status != 200:
                return f"{path} says {status or 'nothing'}"
        for path, text in _EXPECTED:
            if text not in bodies[path]:
                return f"{path} does not say {text.decode()}"
        errors = [line for line in bodies["/metrics"].splitlines() if line.startswith(_ERRORS)]
        return f"/metrics says {errors[0].decode()}" if errors else ""

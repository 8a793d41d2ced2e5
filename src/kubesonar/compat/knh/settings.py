"""The settings of the room, from the older tool's environment variables and a few of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kubesonar.compat.knh.election.peer_state import Timing
from kubesonar.compat.variables import Variable, settings_from, unchanged
from kubesonar.core.address import is_literal
from kubesonar.kube.resource import is_object_name
from kubesonar.net.http.url import Url, parse_url
from kubesonar.web.sockets import parse_listen_address

SILENT = 60
"""A level above every level that is logged."""

_LEVELS = {"trace": 10, "debug": 10, "info": 20, "warn": 30, "error": 40, "fatal": 50, "panic": 50, "disabled": SILENT}
_NUMBERED = {-1: "trace", 0: "debug", 1: "info", 2: "warn", 3: "error", 4: "fatal", 5: "panic", 7: "disabled"}
"""The numbers that zerolog gives its levels (https://pkg.go.dev/github.com/rs/zerolog#Level)."""

_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)


class KnhSettings(Timing, frozen=True, kw_only=True):
    """Settings of the room, described in `KNH_VARIABLES`; times are in seconds."""

    pod_ip: str
    node_name: str
    service_name: str
    namespace: str
    port: int = 8080
    sanity_url: Url | None = None
    peer_url: str = ""
    cluster_url: str = ""
    log_level: int = _LEVELS["info"]
    tell_return: bool = False
    outbox: str = ""
    secret_file: str = ""
    listen: str = ""


def knh_settings(environ: Mapping[str, str]) -> KnhSettings:
    """Return the settings that `environ` gives. Raises ConfigError for the first that is missing or does not fit."""
    return settings_from(KnhSettings, KNH_VARIABLES, environ)


def mistaken_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence about each variable that one may believe to set something, and that does not."""
    return [f"{name} sets nothing: {why}" for name, why in _MISTAKEN.items() if environ.get(name)]


def _integer(least: int, most: int) -> Callable[[str], int]:
    def read(given: str) -> int:
        if not _INTEGER.fullmatch(given) or not least <= int(given) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(given)

    return read


def _seconds(least: int) -> Callable[[str], float]:
    whole = _integer(least, 86_400)
    return lambda given: float(whole(given))


def _address(given: str) -> str:
    if not is_literal(given):
        raise ValueError("an IP address, as 10.32.0.5")
    return given


def _name(given: str) -> str:
    if not is_object_name(given):
        raise ValueError("a name in Kubernetes' sense: lower-case letters, digits, '-' and '.'")
    return given


def _url(given: str) -> Url:
    try:
        return parse_url(given)
    except ValueError:
        raise ValueError("http://host:port/path or https://host:port/path") from None


def _url_text(given: str) -> str:
    _url(given)
    return given


def _level(given: str) -> int:
    """Read a level; an unknown word means info, as in the older tool."""
    word = _NUMBERED.get(int(given), "info") if _INTEGER.fullmatch(given) else given.lower()
    return _LEVELS.get(word, _LEVELS["info"])


def _true(given: str) -> bool:
    if given not in ("true", "false"):
        raise ValueError("true or false")
    return given == "true"


def _listen(given: str) -> str:
    parse_listen_address(given)
    return given


_TRIES = _integer(1, 1000)
_PAUSE = _seconds(0)

KNH_VARIABLES: tuple[Variable, ...] = (
    Variable("POD_IP", "pod_ip", _address, "the pod's own IP address"),
    Variable("MY_NODE_NAME", "node_name", _name, "the name of the node it runs on"),
    Variable("NODE_NAME", "node_name", _name, "the same, where MY_NODE_NAME is not set"),
    Variable("SERVICE_NAME", "service_name", _name, "the Service in front of all pods"),
    Variable("NAMESPACE", "namespace", _name, "the namespace of that Service"),
    Variable("CONTAINER_PORT", "port", _integer(1, 65_535), "the port of every pod"),
    Variable("CONNECT_MAX_RETRIES", "connect_tries", _TRIES, "tries to reach a new peer"),
    Variable("CONNECT_COOLDOWN_PERIOD", "connect_pause", _PAUSE, "seconds between them"),
    Variable("SEND_MAX_RETRIES", "send_tries", _TRIES, "tries of a peer before it is called dead"),
    Variable("SEND_COOLDOWN_PERIOD", "send_pause", _PAUSE, "seconds between them"),
    Variable("ELECTION_COOLDOWN_PERIOD", "election_pause", _seconds(1), "seconds between two elections"),
    Variable("SANITY_CHECK_URL", "sanity_url", _url, "asked before a peer is called dead; unreachable: nobody is told"),
    Variable("PEER_STATUS_URL", "peer_url", _url_text, "is posted every peer that dies"),
    Variable("CLUSTER_STATUS_URL", "cluster_url", _url_text, "is posted all peers after each election"),
    Variable("LOG_LEVEL", "log_level", _level, "trace, debug, info, warn, error, fatal, panic or disabled", "info"),
    Variable("KNH_TELL_RETURN", "tell_return", _true, "true: PEER_STATUS_URL is posted peers that come back, too"),
    Variable("KNH_OUTBOX", "outbox", unchanged, "directory in which posts that are not delivered survive a restart"),
    Variable("KNH_SECRET_FILE", "secret_file", unchanged, "secrets (whsec_…) that sign posts by the Standard Webhooks"),
    Variable("KNH_LISTEN", "listen", _listen, "address to listen on instead of POD_IP:CONTAINER_PORT"),
)

_MISTAKEN = {
    "SANITY_CHECK_URLS": "SANITY_CHECK_URL is meant, most likely",  # in the older tool's sample manifest
}

"""Listeners for HTTP, several in a process, each with its own ASGI application. Knows nothing of what is served."""

from kubesonar.web.auth import Anonymous, Authenticator, BearerToken, Identity
from kubesonar.web.options import LimitOptions, ListenOptions
from kubesonar.web.router import BadRequest, Reply, Request, Route, Router
from kubesonar.web.server import Listener, Server

__all__ = [
    "Anonymous",
    "Authenticator",
    "BadRequest",
    "BearerToken",
    "Identity",
    "LimitOptions",
    "ListenOptions",
    "Listener",
    "Reply",
    "Request",
    "Route",
    "Router",
    "Server",
]

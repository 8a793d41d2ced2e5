"""HTTP/1.1 listeners, several in a process, for agents and other programs that must stay small.

In: addresses, limits, certificates, and a handler for each listener. Out: replies to clients. Read `handler` first: a
handler is a coroutine function from `Request` to `Reply`; `server` listens and `connection` speaks to one client.
"""

from kubesonar.web.auth import Anonymous, Authenticator, BearerToken, bearer_token, cookie_value
from kubesonar.web.handler import BadRequest, Handler, Reply, Request, error_reply, form_fields
from kubesonar.web.options import LimitOptions, ListenOptions
from kubesonar.web.router import FOR_BROWSERS, Route, Router, unauthorized_reply
from kubesonar.web.server import Listener, Server
from kubesonar.web.sockets import inherited_descriptor

__all__ = [
    "FOR_BROWSERS",
    "Anonymous",
    "Authenticator",
    "BadRequest",
    "BearerToken",
    "Handler",
    "LimitOptions",
    "ListenOptions",
    "Listener",
    "Reply",
    "Request",
    "Route",
    "Router",
    "Server",
    "bearer_token",
    "cookie_value",
    "error_reply",
    "form_fields",
    "inherited_descriptor",
    "unauthorized_reply",
]

"""An HTTP proxy on loopback that makes tunnels by CONNECT (RFC 9110, section 9.3.6), on threads of its own."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Self


class ConnectProxy:
    """Leads every tunnel to `port` of this machine, whatever name it is asked for. `heads` are the requests it had;
    with a `login` ("Basic …") it refuses those without."""

    def __init__(self, port: int, login: str = "") -> None:
        self.heads: list[str] = []
        proxy = self

        class Tunnel(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines = iter(self.rfile.readline, b"\r\n")
                head = b"".join(line for line in lines if line).decode("latin-1")
                proxy.heads.append(head)
                if login and f"Proxy-Authorization: {login}\r\n" not in head:
                    self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                    return
                with socket.create_connection(("127.0.0.1", port)) as server:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=_pipe, args=(server, self.connection))
                    back.start()
                    _pipe(self.connection, server)
                    back.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def asked(self) -> list[str]:
        """The first line of each request."""
        return [head.partition("\r\n")[0] for head in self.heads]


def _pipe(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes until the end, and the end."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)

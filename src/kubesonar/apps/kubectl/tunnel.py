"""Unix sockets to the APIs of pods, served by a thread, for commands that know nothing of Kubernetes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import uvloop

from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.errors import ApiError
from kubesonar.kube.streaming.forwarder import PodPort, forwarded

_PATH_LIMIT = 107
"""Longest path of a Unix socket (bytes, unix(7))."""


class PodTunnel:
    """A private folder with a socket for each port, from `with` on until its end. `sources` are the sockets as people's
    commands take them, in the order of the ports; `token_file` holds the token. `errors` is why pods could not be
    reached, by pod."""

    def __init__(self, credentials: Credentials, ports: Sequence[PodPort], token: str = "") -> None:
        self.errors: dict[str, ApiError] = {}
        self.sources: list[str] = []
        self.token_file = ""
        self._credentials = credentials
        self._ports = ports
        self._token = token
        self._ready, self._loop = threading.Event(), uvloop.new_event_loop()
        self._end = asyncio.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="port-forward", daemon=True)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="kubesonar-")
        folder = Path(self._folder.name)
        self._paths = [_socket_path(folder, number, port.pod) for number, port in enumerate(self._ports)]
        self.sources = [f"unix:{path}" for path in self._paths]
        if self._token:
            self.token_file = str(folder / "token")
            Path(self.token_file).write_text(self._token)  # in a folder that only this user may enter
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._folder.cleanup()
            raise self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._folder.cleanup()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            except OSError as error:
                self._failure = error
            finally:
                self._ready.set()

    async def _serve(self) -> None:
        async with AsyncExitStack() as open_sockets:
            for port, path in zip(self._ports, self._paths, strict=True):
                await open_sockets.enter_async_context(
                    forwarded(self._credentials, port, str(path), partial(self.errors.__setitem__, port.pod))
                )
            self._ready.set()
            await self._end.wait()


def _socket_path(folder: Path, number: int, pod: str) -> Path:
    """Return a path that ends in the pod's name, which people's commands take for the member's, where that fits."""
    path = folder / f"{pod}.sock"
    return path if len(os.fsencode(path)) <= _PATH_LIMIT else folder / str(number)

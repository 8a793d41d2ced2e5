"""Connections through a SOCKS proxy of version 5 (RFC 1928), with a user's name and password (RFC 1929) or without."""

from __future__ import annotations

import msgspec

from kubesonar.core.address import is_literal, packed_address
from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.tcp.stream import Stream

_VERSION = 5
_CONNECT = 1
_NO_LOGIN, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_LENGTHS = {_IPV4: 4, _IPV6: 16}
_LONGEST = 255
"""Longest name of a host or user, and longest password, in bytes: one byte tells the length."""

_REPLIES = {
    1: (Fault.WRONG_ANSWER, "general failure"),
    2: (Fault.WRONG_ANSWER, "its rules do not allow it"),
    3: (Fault.UNREACHABLE, "network unreachable"),
    4: (Fault.UNREACHABLE, "host unreachable"),
    5: (Fault.REFUSED, "connection refused"),
    6: (Fault.UNREACHABLE, "TTL expired"),
    7: (Fault.WRONG_ANSWER, "it makes no connections"),
    8: (Fault.WRONG_ANSWER, "it knows no addresses of this kind"),
}
"""Codes of replies (RFC 1928, section 6)."""


class SocksTunnel(msgspec.Struct, frozen=True):
    """Makes streams through a proxy to one server; equal for equal servers (see `Origin.wire`). The proxy looks up a
    `host` that is a name, as Go has it do. `login` is the user's name and password, empty: none."""

    host: str
    port: int
    login: tuple[bytes, ...] = ()

    def __call__(self, patience: float) -> Stream:
        return _SocksStream(patience, self)


class _SocksStream(Stream):
    """A stream whose connect ends at the far side of the proxy. A proxy that refuses is a failed connect."""

    def __init__(self, patience: float, tunnel: SocksTunnel) -> None:
        super().__init__(patience=patience)
        self._tunnel = tunnel

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        """Connect to the proxy at this address and port, and through it."""
        await super().connect(address, port, deadline)
        try:
            await self._log_in(deadline)
            await self._lead_on(deadline)
        except Failed as failed:
            raise Failed(failed.fault, f"the SOCKS proxy: {failed.detail}") from None

    async def _log_in(self, deadline: Deadline) -> None:
        methods = bytes((_NO_LOGIN, _PASSWORD) if self._tunnel.login else (_NO_LOGIN,))
        await self.write(bytes((_VERSION, len(methods))) + methods, deadline)
        version, method = await self._exactly(2, deadline)
        _check_version(version)
        if method == _PASSWORD and self._tunnel.login:
            await self.write(b"\1" + b"".join(map(_counted, self._tunnel.login)), deadline)
            _, status = await self._exactly(2, deadline)
            if status:
                raise Failed(Fault.WRONG_ANSWER, "it refuses the user's name or password")
        elif method == _NO_METHOD:
            wanted = "another proof than a name and password" if self._tunnel.login else "a user's name and password"
            raise Failed(Fault.WRONG_ANSWER, f"it wants {wanted}")
        elif method != _NO_LOGIN:
            raise Failed(Fault.WRONG_ANSWER, f"it chooses method {method}, which was not offered")

    async def _lead_on(self, deadline: Deadline) -> None:
        tunnel = self._tunnel
        request = bytes((_VERSION, _CONNECT, 0)) + _address(tunnel.host) + tunnel.port.to_bytes(2, "big")
        await self.write(request, deadline)
        version, reply, _, kind = await self._exactly(4, deadline)
        _check_version(version)
        if reply:
            fault, words = _REPLIES.get(reply, (Fault.WRONG_ANSWER, f"code {reply}"))
            raise Failed(fault, f"{tunnel.host} port {tunnel.port}: {words}")
        if kind not in (_IPV4, _NAME, _IPV6):
            raise Failed(Fault.WRONG_ANSWER, f"its reply has an address of kind {kind}, expected 1, 3 or 4")
        length = _LENGTHS.get(kind) or (await self._exactly(1, deadline))[0]
        await self._exactly(length + 2, deadline)

    async def _exactly(self, count: int, deadline: Deadline) -> bytes:
        """Return the next `count` bytes: what follows belongs to the server."""
        data = b""
        while len(data) < count:
            more = await self.read(count - len(data), deadline)
            if not more:
                raise Failed(Fault.RESET, "it ended the connection")
            data += more
        return data


def _check_version(version: int) -> None:
    if version != _VERSION:
        raise Failed(Fault.WRONG_ANSWER, f"it speaks version {version}, expected 5")


def _address(host: str) -> bytes:
    """Return a host as a request names it: an IP address by its bytes, a name for the proxy to look up."""
    if not is_literal(host):
        return bytes((_NAME,)) + _counted(host.encode())
    packed = packed_address(host)
    return bytes((_IPV4 if len(packed) == 4 else _IPV6,)) + packed


def _counted(word: bytes) -> bytes:
    if len(word) > _LONGEST:
        raise Failed(Fault.WRONG_ANSWER, f"a name or password of {len(word)} bytes, at most {_LONGEST} can be told")
    return bytes((len(word),)) + word

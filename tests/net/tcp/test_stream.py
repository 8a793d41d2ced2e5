from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.tcp.stream import Stream
from tests.net.rig import run, starve
from tests.net.servers import serving, silent


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _exchange(address: str, port: int, data: bytes) -> tuple[bytes, Stream]:
    stream = Stream()
    try:
        with Deadline(5) as deadline:
            await stream.connect(address, port, deadline)
            await stream.write(data, deadline)
            return await _all_of(stream, len(data), deadline), stream
    finally:
        stream.close()


async def _all_of(stream: Stream, size: int, deadline: Deadline) -> bytes:
    data = b""
    while len(data) < size:
        data += await stream.read(65_536, deadline)
    return data


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_exchange_with_what_the_kernel_saw(host: str) -> None:
    async def scenario() -> None:
        async with serving(_echo, host) as port:
            data, stream = await _exchange(host, port, b"hello")
        assert data == b"hello"
        assert stream.source_port
        assert stream.kernel is not None
        assert 0 < stream.kernel.rtt < 1
        assert stream.kernel.mss > 0
        assert stream.kernel.retransmits == 0

    run(scenario())


def test_a_unix_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "api.sock"
        server = await asyncio.start_unix_server(_echo, str(path))
        data, stream = await _exchange(f"unix:{path}", 0, b"hello")
        assert (data, stream.kernel) == (b"hello", None)
        server.close()
        await asyncio.sleep(0.01)

    run(scenario())


def test_a_unix_socket_that_is_not_there_refuses(tmp_path: Path) -> None:
    async def scenario() -> Fault:
        stream = Stream()
        with Deadline(1) as deadline, pytest.raises(Failed) as failed:
            await stream.connect(f"unix:{tmp_path}/none", 0, deadline)
        stream.abort()
        return failed.value.fault

    assert run(scenario()) is Fault.REFUSED


def test_more_than_the_buffers_hold_is_written_whole() -> None:
    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(20_000_000)
        writer.write(b"all")

    async def scenario() -> bytes:
        async with serving(sink) as port:
            stream = Stream()
            with Deadline(10) as deadline:
                await stream.connect("127.0.0.1", port, deadline)
                await stream.write(bytes(20_000_000), deadline)
                answer = await stream.read(100, deadline)
            stream.close()
            return answer

    assert run(scenario()) == b"all"


def test_a_refused_connection_says_from_which_port() -> None:
    async def scenario() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            stream = Stream()
            with Deadline(1) as deadline, pytest.raises(Failed) as failed:
                await stream.connect("127.0.0.1", closed.getsockname()[1], deadline)
            assert failed.value.fault is Fault.REFUSED
            assert stream.source_port
            stream.abort()

    run(scenario())


def test_a_connect_that_nobody_answers_shows_its_syn_retransmits() -> None:
    async def scenario() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)  # a full accept queue drops each further SYN
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            await asyncio.sleep(0.05)
            stream = Stream()
            with Deadline(1.5) as deadline, pytest.raises(Failed) as failed:
                await stream.connect("127.0.0.1", full.getsockname()[1], deadline)
            stream.abort()
            for filler in fillers:
                filler.close()
        assert failed.value.fault is Fault.TIMEOUT
        assert stream.kernel is not None
        assert stream.kernel.retransmits >= 1
        assert stream.kernel.rtt == 0
        assert stream.source_port

    run(scenario())


def test_a_name_is_refused_because_it_would_block() -> None:
    async def scenario() -> None:
        with Deadline(1) as deadline, pytest.raises(ValueError, match="IP literal"):
            await Stream().connect("localhost", 80, deadline)

    run(scenario())


def test_silence_is_a_timeout_that_says_where() -> None:
    async def scenario() -> Failed:
        async with serving(silent) as port:
            stream = Stream()
            with Deadline(0.1) as deadline, pytest.raises(Failed) as failed:
                await stream.connect("127.0.0.1", port, deadline)
                await stream.write(b"hello", deadline)
                await stream.read(100, deadline)
            stream.abort()
        return failed.value

    failed = run(scenario())
    assert failed.fault is Fault.TIMEOUT
    assert "waiting for data" in failed.detail


def _threaded(answer: bytes) -> tuple[socket.socket, threading.Thread]:
    """A server that answers while our own event loop stands still."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client, suppress(ConnectionResetError):
            client.recv(100)
            client.sendall(answer)
            client.recv(100)

    thread = threading.Thread(target=serve)
    thread.start()
    return listener, thread


@pytest.mark.parametrize(("answer", "fault"), [(b"in time", None), (b"", Fault.LOCAL)])
def test_a_loop_that_stood_still_takes_what_came_and_blames_nobody_for_the_rest(
    answer: bytes, fault: Fault | None
) -> None:
    async def scenario() -> None:
        listener, thread = _threaded(answer)
        stream = Stream()
        found: bytes | Failed
        with listener, Deadline(0.1) as deadline:
            await stream.connect("127.0.0.1", listener.getsockname()[1], deadline)
            await stream.write(b"hello", deadline)
            asyncio.get_running_loop().call_soon(starve, 0.4)
            try:
                found = await stream.read(100, deadline)
            except Failed as failed:
                found = failed
            stream.abort()
            thread.join()
        if fault is None:
            assert found == answer
        else:
            assert isinstance(found, Failed)
            assert found.fault is fault
            assert "late" in found.detail

    run(scenario())


def test_abort_resets_and_close_does_not() -> None:
    async def scenario() -> list[str]:
        ends: asyncio.Queue[str] = asyncio.Queue()

        async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read(1)
                ends.put_nowait("fin")
            except ConnectionResetError:
                ends.put_nowait("rst")

        seen = []
        async with serving(watch) as port:
            for end in (Stream.close, Stream.abort):
                stream = Stream()
                with Deadline(5) as deadline:
                    await stream.connect("127.0.0.1", port, deadline)
                end(stream)
                seen.append(await ends.get())
        return seen

    assert run(scenario()) == ["fin", "rst"]


_WITHOUT_DESCRIPTORS = """
import asyncio, json, resource, socket
from kubesonar.model import Check, Kind, Network, Path
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.icmp import IcmpOptions, IcmpProbe
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.tcp import TcpOptions, TcpProbe

async def main():
    source, listener = ProbeSource("me", Network.POD), socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    check = Check("c", Kind.TCP, Path.POD, "t", "127.0.0.1", port, request="http://t/")
    icmp = IcmpProbe(source, Pinger(), IcmpOptions())
    probes = TcpProbe(source, TcpOptions()), HttpProbe(source, HttpOptions()), icmp
    resource.setrlimit(resource.RLIMIT_NOFILE, (listener.fileno(), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    print(json.dumps([(await probe(check)).fault for probe in probes]))

asyncio.run(main())
"""


def test_without_file_descriptors_the_fault_is_our_own() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT_DESCRIPTORS], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["local", "local", "local"]

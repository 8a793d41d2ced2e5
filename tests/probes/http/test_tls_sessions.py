"""TLS sessions: resumed for a while by checks whose terms say so, and by no other."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import msgspec

from kubesonar.model import Check, Fault, Kind, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.http.terms import Terms
from kubesonar.probes.source import ProbeSource
from tests.net.certificates import Authority
from tests.net.rig import run
from tests.net.servers import OK, asked, serving

CHECK = Check("api", Kind.HTTP, Way.API_DIRECT, "api-server", "127.0.0.1", timeout=10.0)


class Hands:
    """Notes of each connection whether it resumed a session."""

    def __init__(self, answers: tuple[bytes, ...] = ()) -> None:
        self.resumed: list[bool] = []
        self._answers = list(answers)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure: ssl.SSLObject = writer.get_extra_info("ssl_object")
        self.resumed.append(bool(secure.session_reused))
        await asked(reader)
        writer.write(self._answers.pop(0) if self._answers else OK)
        await writer.drain()


class Hour:
    """A clock set by hand; deadlines have their own."""

    def __init__(self) -> None:
        self.now = 100.0

    def wall(self) -> float:
        return self.now

    def mono(self) -> float:
        return self.now


def look(
    folder: Path, hands: Hands, full: float, moments: tuple[float, ...], ids: tuple[str, ...] = ("api",)
) -> list[Observation]:
    authority = Authority(folder)
    clock = Hour()

    async def scenario() -> list[Observation]:
        async with serving(hands, context=authority.server("127.0.0.1")) as port:
            check = msgspec.structs.replace(
                CHECK, request=f"https://127.0.0.1:{port}/version", trust=str(authority.file)
            )
            probe = HttpProbe(
                ProbeSource("node-1", Network.POD), HttpOptions(), terms={"api": Terms(full=full)}, clock=clock
            )
            seen = []
            for moment in moments:
                clock.now = 100.0 + moment
                seen += [await probe(msgspec.structs.replace(check, id=name)) for name in ids]
            probe.close()
            return seen

    return run(scenario())


def test_resumed_until_a_full_handshake_is_due(tmp_path: Path) -> None:
    hands = Hands()
    seen = look(tmp_path, hands, 60.0, (0, 10, 20, 59, 60, 70))
    assert hands.resumed == [False, True, True, True, False, True]
    assert not any(one.fault for one in seen)


def test_every_handshake_is_a_full_one_without_terms(tmp_path: Path) -> None:
    hands = Hands()
    look(tmp_path, hands, 0.0, (0, 1, 2))
    assert hands.resumed == [False, False, False]


def test_after_an_answer_that_is_none_the_next_handshake_is_full(tmp_path: Path) -> None:
    hands = Hands(answers=(OK, b"nonsense\r\n\r\n"))
    seen = look(tmp_path, hands, 60.0, (0, 1, 2))
    assert [one.fault for one in seen] == [None, Fault.WRONG_ANSWER, None]
    assert hands.resumed == [False, True, False]


def test_another_check_of_the_same_server_resumes_nothing(tmp_path: Path) -> None:
    hands = Hands()
    look(tmp_path, hands, 60.0, (0, 1), ids=("api", "other"))
    assert hands.resumed == [False, False, True, False]

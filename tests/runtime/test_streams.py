"""What is written to people holds nothing that their terminal obeys."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import msgspec
import pytest

from kubesonar.cli import main
from kubesonar.model import Snapshot
from kubesonar.runtime.streams import ErrorStream, EscapingStream, OutputError, OutputStream
from tests.apps.listening import answer, answers, on_sockets, snapshots
from tests.core.mesh import Mesh

ORDERS = "\x1b]0;x\x07\x9b31m\u202e\u2066\u200b\u2028"


def test_lines_and_tabs_stay_and_orders_are_escaped() -> None:
    raw = io.StringIO()
    stream = EscapingStream(raw)
    assert stream.write(f"a\tb\n{ORDERS}\r\n") == 4 + len(ORDERS) + 2
    assert raw.getvalue() == "a\tb\n\\x1b]0;x\\x07\\x9b31m\\u202e\\u2066\\u200b\\u2028\\r\n"


@pytest.mark.parametrize("kind", [OutputStream, EscapingStream])
def test_a_stream_that_failed_fails_at_each_call_and_is_forgotten_in_silence(kind: type[OutputStream]) -> None:
    """From Python 3.13 on, what closing a forgotten stream raises is printed."""
    with Path("/dev/full").open("w") as full:
        stream = kind(full)
        stream.write("lost")
        for _ in range(2):
            with pytest.raises(OutputError, match="No space left on device"):
                stream.flush()
        stream.close()
        assert not full.closed


@pytest.mark.parametrize("kind", [OutputStream, EscapingStream, ErrorStream])
def test_a_stream_may_be_closed_after_what_it_writes_to(kind: type[OutputStream]) -> None:
    raw = io.StringIO()
    stream = kind(raw)
    stream.write("written")
    raw.close()
    stream.close()


def said(*arguments: str) -> str:
    """All that a command says, where its locale knows every character."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", newline="") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        main(arguments)
    text = ""
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        text += stream.read()
    return text


def assert_harmless(text: str) -> None:
    assert text
    assert [line for line in text.split("\n") if not line.replace("\t", "").isprintable()] == []


@pytest.mark.parametrize(
    "arguments",
    [
        (f"a{ORDERS}",),
        ("check", f"http://{ORDERS}/"),
        ("check", f"/{ORDERS}"),
        ("check", f"--{ORDERS}"),
        ("check", "--timeout", ORDERS),
        ("map", "--network", ORDERS),
        ("lab", "--fault", f"cut {ORDERS}"),
        ("lab", "fault", "--directory", f"/{ORDERS}", "clear"),
        ("simulate", f"/{ORDERS}"),
        ("config", "show", f"--{ORDERS}", "1"),
        ("config", "show", "--member.reason", ORDERS),
        ("config", "show", "--metrics.edges", ORDERS),
        ("agent", "--config", f"/{ORDERS}"),
        ("agent", "--notify.receivers", f'[{{"name": "a", "url": "http://a\\n{ORDERS[8:]}/"}}]'),
        ("keys", "make", "--secret", ORDERS),
        ("keys", f"--{ORDERS}"),
    ],
)
def test_what_is_wrong_with_arguments_is_said_without_giving_orders(arguments: tuple[str, ...]) -> None:
    assert_harmless(said(*arguments))


@pytest.mark.parametrize("output", [("check",), ("check", "--json"), ("map", "--once"), ("map", "--json")])
@pytest.mark.parametrize("fields", [("name",), ("detail", "target", "zone", "reason")])
def test_what_agents_tell_gives_no_orders(tmp_path: Path, output: tuple[str, ...], fields: tuple[str, ...]) -> None:
    told = snapshots(Mesh().cut("node-3"))
    name, first = next((name, one) for name, one in told.items() if isinstance(one, Snapshot))
    text = msgspec.json.encode(first)
    for field in fields:
        known = f'"{field}":"'.encode()
        text = text.replace(known, known + ORDERS[8:].encode())
    served = answers(Mesh().cut("node-3")) | {name: answer(text)}
    with on_sockets(tmp_path, served):
        assert_harmless(said(output[0], str(tmp_path), *output[1:]))

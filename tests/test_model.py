"""Names and texts that people see."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.model import (
    LONGEST_NAME,
    Check,
    Kernel,
    Kind,
    Member,
    Network,
    Observation,
    Path,
    Phase,
    Span,
    clip,
    is_name,
    mask_userinfo,
    printable,
    syns_of,
)

REFUSED = ["", "m1\n", "\nm1", "m1 ", " m1", "a\x9b", "a\u202eb", "a\u2066", "a\u200bb", "a\u2028b", "a\x7f", "a\udc9b"]


@pytest.mark.parametrize("name", [*REFUSED, "x" * (LONGEST_NAME + 1)])
def test_a_name_has_nothing_that_a_terminal_obeys_and_no_line_break(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(ValueError, match="name and node: expected"):
        Member(name, "node", (), 1)


@pytest.mark.parametrize("name", ["m1", "node-1.eu", "nœud 1", "節点", "x" * LONGEST_NAME])
def test_other_names_are_taken(name: str) -> None:
    assert is_name(name)
    assert msgspec.json.decode(msgspec.json.encode(Member(name, "", (), 1)), type=Member).name == name


def test_a_member_with_such_a_name_is_not_decoded() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"name":"a\\n","node":"","addresses":[],"port":1}', type=Member)


def test_what_is_escaped_is_written_as_python_does() -> None:
    assert printable("a\n\x9b\u202e\U000e0001ä") == "a\\n\\x9b\\u202e\\U000e0001ä"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:word@host/path", "https://***@host/path"),
        ("HTTP://user:word@host", "HTTP://***@host"),
        ("https://token@host", "https://***@host"),
        ("https://:word@host", "https://***@host"),
        ("https://user:w@rd@host", "https://***@host"),
        ("https://user:w/r?d#@host/x", "https://***@host/x"),
        ("https://user:a word@host", "https://***@host"),
        ("https://user:word\n@host", "https://***@host"),
        ("https://user:80:word@host", "https://***@host"),
        ("user:word@host", "***@host"),
        ("https//user:word@host", "https//***@host"),
        ("https:/user:word@host", "***@host"),
        ("one http://a:b@c and https://d:e@f", "one http://***@c and https://***@f"),
        ("{'url': 'http://a:b@c', 'x': 'http://d@e'}", "{'url': 'http://***@c', 'x': 'http://***@e'}"),
        ('{"url":"http://a:b@c"}', '{"url":"http://***@c"}'),
    ],
)
def test_no_text_repeats_what_stands_before_the_host_of_a_url(text: str, masked: str) -> None:
    assert mask_userinfo(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8080/@scope/package of a@b",
        "http://[fd00::1]:80/ a@b",
        "http://host:80: refused (a@b)",
        "2026-11-28T12:30:05Z node-1@1021 is there",
        "dig +tries=1 @10.96.0.10 -p 53 a. A",
        "registry:5000/kubesonar@sha256:0123",
    ],
)
def test_what_is_no_user_stays(text: str) -> None:
    assert mask_userinfo(text) == text


def test_a_password_is_masked_before_the_text_is_cut() -> None:
    assert clip(f"https://user:{'word' * 100}@host/path", 20) == "https://***@host/pa…"


@pytest.mark.parametrize(
    ("kind", "kernel", "took", "syns"),
    [
        (Kind.TCP, Kernel(), 0.001, 1),
        (Kind.TCP, Kernel(retransmits=1), 1.001, 2),
        (Kind.TCP, Kernel(retransmits=3), None, 4),
        (Kind.TCP, None, None, 0),
        (Kind.HTTP, Kernel(retransmits=1), 0.001, 1),
        (Kind.HTTP, Kernel(retransmits=1), 1.001, 2),
        (Kind.HTTP, Kernel(), 1.001, 1),
        (Kind.HTTP, Kernel(retransmits=1), None, 0),
        (Kind.TLS, Kernel(retransmits=1), 1.001, 0),
    ],
)
def test_of_a_new_connection_it_is_known_how_many_syns_it_took(
    kind: Kind, kernel: Kernel | None, took: float | None, syns: int
) -> None:
    check = Check("x", kind, Path.POD, "peer", "10.0.0.2", 7473)
    phases = () if took is None else (Span(Phase.CONNECT, 0.5, 0.5 + took),)
    assert syns_of(Observation(check, "me", Network.POD, 0.0, phases=phases, kernel=kernel)) == syns

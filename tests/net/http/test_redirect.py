"""Where a Location header leads to."""

from __future__ import annotations

import pytest

from kubesonar.net.http.redirect import redirect_target
from kubesonar.net.http.url import parse_url


def test_follows_relative_places() -> None:
    base = parse_url("http://a.example:81/x/y?q=1")
    for place, expected in (
        ("HTTPS://b.example/z", "https://b.example/z"),
        ("//b.example/z", "http://b.example/z"),
        ("/z?k=v#f", "http://a.example:81/z?k=v"),
        ("z", "http://a.example:81/x/z"),
        ("?k=v", "http://a.example:81/x/y?k=v"),
    ):
        found = redirect_target(base, place)
        assert f"{found.scheme}://{found.authority}{found.target}" == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("/a b", "http://a.example:81/a%20b"),
        ("/ü", "http://a.example:81/%C3%BC"),
        ("/ü?k=ä b#ö", "http://a.example:81/%C3%BC?k=%C3%A4%20b"),
        ("../z", "http://a.example:81/z"),
        ("../../z", "http://a.example:81/z"),
        ("./z", "http://a.example:81/x/z"),
        (".", "http://a.example:81/x/"),
        ("..", "http://a.example:81/"),
        ("z/./y/../x", "http://a.example:81/x/z/x"),
        ("/a/../b/./c?d=../e", "http://a.example:81/b/c?d=../e"),
        ("/z/..", "http://a.example:81/"),
        ("//b.example:/z", "http://b.example/z"),
        ("http://b.example:/../z", "http://b.example/z"),
        ("HTTP://B.example/z", "http://B.example/z"),
        ("#frag", "http://a.example:81/x/y?q=1"),
        ("/a%2fb", "http://a.example:81/a%2fb"),
    ],
)
def test_follows_as_gos_client_does(place: str, expected: str) -> None:
    """A header's bytes reach the reader as Latin-1; servers send UTF-8."""
    found = redirect_target(parse_url("http://a.example:81/x/y?q=1"), place.encode().decode("latin-1"))
    assert f"{found.scheme}://{found.authority}{found.target}" == expected


@pytest.mark.parametrize("place", ["ftp://b.example/", "mailto:a@b.example", "//", "http://", "/a\tb", "/\x7f"])
def test_what_leads_to_no_url_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="a URL is"):
        redirect_target(parse_url("http://a.example/"), place)

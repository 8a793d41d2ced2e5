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


@pytest.mark.parametrize("place", ["ftp://b.example/", "mailto:a@b.example", "//", "http://", "/a b"])
def test_what_leads_to_no_url_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="a URL is"):
        redirect_target(parse_url("http://a.example/"), place)

from __future__ import annotations

import pytest

from kubesonar.model import mask_userinfo
from kubesonar.net.http.url import is_origin, parse_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a", ("a", 80, "a", "/")),
        ("https://a.b:8443/x?y=1#z", ("a.b", 8443, "a.b:8443", "/x?y=1")),
        ("http://[fd00::1]:80/", ("fd00::1", 80, "[fd00::1]:80", "/")),
        ("http://a?x", ("a", 80, "a", "/?x")),
        ("HTTPS://a/", ("a", 443, "a", "/")),
        ("http://a:/x", ("a", 80, "a", "/x")),
        ("http://[fd00::1]:", ("fd00::1", 80, "[fd00::1]", "/")),
        ("http://a/ü?k=ä", ("a", 80, "a", "/%C3%BC?k=%C3%A4")),
    ],
)
def test_urls(text: str, expected: tuple[str, int, str, str]) -> None:
    url = parse_url(text)
    assert (url.host, url.port, url.authority, url.target) == expected


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("http://a", True),
        ("https://[fd00::1]:8443/", True),
        ("http://a/x", False),
        ("http://a?x", False),
        ("http://a#x", False),
        ("http://a/#", False),
        ("http://a//", False),
    ],
)
def test_what_names_a_host_and_nothing_more(text: str, so: bool) -> None:
    assert is_origin(text) is so


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://a/",
        "http://",
        "http://u@a/",
        "http://a/ b",
        "http://a:99999/",
        "http://a:x/",
        "http://ü/",
        "http://a/\u202e",
        "http://a/\x85",
    ],
)
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ValueError, match="a URL is"):
        parse_url(text)


@pytest.mark.parametrize("rest", ["host/", "host'", "host:99999/", ""])
def test_a_password_is_not_repeated_and_the_sentence_may_be_masked_again(rest: str) -> None:
    with pytest.raises(ValueError, match=r"not .https://") as refused:
        parse_url(f"https://user:word@{rest}")
    told = str(refused.value)
    assert f"https://***@{rest}" in told
    assert mask_userinfo(told) == told

"""Go's verdicts on lists of exceptions (tests/corpus/http/no_proxy.go makes them)."""

from __future__ import annotations

import json
from pathlib import Path

from kubesonar.net.http.proxy.no_proxy import NoProxy
from kubesonar.net.http.url import parse_url

ROWS = json.loads((Path(__file__).parents[3] / "corpus" / "http" / "no_proxy.json").read_text())


def test_lists_are_read_as_by_go() -> None:
    unlike = []
    for row in ROWS:
        exceptions = NoProxy(row["no_proxy"])
        for text, proxied in row["proxied"].items():
            url = parse_url(text)
            if exceptions.has(url.host, url.port) is proxied:
                unlike.append((row["no_proxy"], text, "go: proxied" if proxied else "go: direct"))
    assert unlike == []


def test_the_table_of_lists_is_there() -> None:
    verdicts = [proxied for row in ROWS for proxied in row["proxied"].values()]
    assert len(verdicts) >= 700
    assert 100 < sum(verdicts) < len(verdicts) - 100

"""The pages made from the code are as the code is."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.apps.docs import pages

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", pages())
def test_the_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == pages()[name], "out of date: run scripts/docs"

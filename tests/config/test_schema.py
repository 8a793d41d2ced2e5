"""A schema that cannot be."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.config import resolve


class Inner(msgspec.Struct, frozen=True):
    b_c: int = 0


class Twice(msgspec.Struct, frozen=True):
    a: Inner = Inner()
    a_b_c: int = 0


def test_two_options_must_not_share_a_variable() -> None:
    with pytest.raises(TypeError, match="share an environment variable"):
        resolve(Twice, [], {})

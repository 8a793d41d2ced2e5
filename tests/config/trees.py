"""A schema with every kind of option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from kubesonar.config import ConfigError, resolve
from kubesonar.model import Network, Seconds


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    period: Annotated[Seconds, msgspec.Meta(ge=0.1, le=3600, description="How often.")] = 5.0
    time_out: Annotated[Seconds, msgspec.Meta(gt=0, description="How long.")] = 2.0
    ports: Annotated[tuple[int, ...], msgspec.Meta(max_length=3, description="Ports.")] = (7000,)
    sizes: Annotated[list[Seconds], msgspec.Meta(description="Steps.")] = []

    def __post_init__(self) -> None:
        if self.time_out > self.period:
            raise ValueError("time_out must not exceed period")


class Listener(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    network: Network = Network.POD


class Http(msgspec.Struct, frozen=True, kw_only=True):
    listen: Annotated[tuple[Listener, ...], msgspec.Meta(description="Listeners.")] = ()
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="Port.")] = 8080
    token_file: Annotated[str | None, msgspec.Meta(description="Token.")] = None


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Root(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, description="Name.")] = "me"
    network: Network = Network.POD
    edges: Literal["bad", "all"] = "bad"
    quiet: bool = False
    labels: dict[str, str] = {}
    udp: Probe = Probe(period=10)
    http: Http = Http()
    bare: Bare = Bare()


def load_file(tmp_path: Path, text: str, *flags: str, **environ: str) -> Root:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return resolve(Root, ["--config", str(path), *flags], environ).tree


def refusal(flags: list[str], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        resolve(Root, flags, environ or {})
    return str(raised.value)

"""Turns what a person wrote into the addresses at which agents are asked."""

from __future__ import annotations

import contextlib
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from kubesonar.config import ConfigError
from kubesonar.core.address import bracketed, is_literal
from kubesonar.lab.directory import control_socket, default_path
from kubesonar.model import Member, Roster, Snapshot, clip

_EXPECTED = "expected http://HOST:PORT, https://HOST[:PORT], unix:PATH or a directory of agents' sockets"
_CONTROL = control_socket(Path()).name
_SCHEMES = ("http", "https")
_GRAPHIC = re.compile(r"[!-~]+")  # urlsplit drops line breaks and tabs, and takes spaces


class SnapshotSource(msgspec.Struct, frozen=True):
    """The API of one agent: `url` is "http://HOST:PORT", "https://HOST:PORT" or "unix:PATH"; `name` the member that
    must answer there, empty where that is not known beforehand, and `identity` who that is. `addresses` are all that it
    may be reached at, where they are known."""

    url: str
    name: str = ""
    identity: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name, or the URL where no name is known."""
        return self.name or self.url

    def names(self, member: Member) -> bool:
        """Whether this member may answer there: the one that is meant, however it calls itself."""
        same = self.identity in (member.identity, *member.aliases)
        return not self.name or same or member.name == self.name

    @property
    def remote(self) -> bool:
        """Whether it is asked over the network, not by a Unix socket."""
        return not self.url.startswith("unix:")


def sources_of(given: Sequence[str]) -> list[SnapshotSource]:
    """Return the sources that were `given`; without any, the agents of the lab that runs on this machine.

    Raises ConfigError for what is no source, and where nothing was given and no lab runs.
    """
    if given:
        return list(dict.fromkeys(source for text in given for source in _parse(text)))
    try:
        return _directory(default_path())
    except ConfigError:
        raise ConfigError(
            "no agent was named and no lab runs here: give an agent's address, as http://HOST:PORT or unix:PATH, "
            "or start one with kubesonar lab"
        ) from None


def one_source(given: str) -> SnapshotSource:
    """Return the one source that was given as `--collector`. Raises ConfigError for what is no source, or several."""
    with contextlib.suppress(ConfigError):
        found = _parse(given)
        if len(found) == 1:
            return found[0]
    raise _refused(given, "expected http://HOST:PORT, https://HOST[:PORT] or unix:PATH", "--collector")


def others(
    snapshots: Iterable[Snapshot],
    known: Iterable[SnapshotSource],
    asked: SnapshotSource,
    before: Iterable[Roster] = (),
) -> list[SnapshotSource]:
    """Return the members of the rosters that were not asked yet, at their own addresses and ports, by `asked`'s scheme;
    where nobody could be read, those of the rosters of `before`."""
    snapshots = list(snapshots)
    names = {source.name for source in known} | {snapshot.member.name for snapshot in snapshots}
    read = {id for snapshot in snapshots for id in (snapshot.member.identity, *snapshot.member.aliases)}
    scheme = urlsplit(asked.url).scheme
    found: dict[str, SnapshotSource] = {}
    rosters = [snapshot.roster for snapshot in snapshots] or before
    for member in (member for roster in rosters for member in roster.members):
        addresses = tuple(filter(_literal, member.addresses))
        if member.name not in names and member.identity not in read and addresses and 0 < member.port < 65536:
            url = f"{scheme}://{bracketed(addresses[0])}:{member.port}"
            found.setdefault(member.name, SnapshotSource(url, member.name, member.identity, addresses))
    return list(found.values())


def owner(url: str, members: Iterable[Member]) -> str:
    """Return the name of the member whose address and port `url` has, empty where there is none."""
    return next(
        (m.name for m in members if any(url.endswith(f"://{_literal(a)}:{m.port}") for a in m.addresses)),
        "",
    )


def _parse(text: str) -> list[SnapshotSource]:
    if text.startswith("unix:"):
        name = text.removeprefix("unix:").strip("/")
        if not name:
            raise _refused(text, _EXPECTED)
        return [_socket(Path("/" + name if text.startswith("unix:/") else name))]
    if "://" in text:
        return [SnapshotSource(_url(text))]
    mode = _mode(Path(text)) if text else 0
    if stat.S_ISDIR(mode):
        return _directory(Path(text))
    if stat.S_ISSOCK(mode):
        return [_socket(Path(text))]
    raise _refused(text, _EXPECTED)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _refused(text, _EXPECTED) from None
    extra = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None or port == 0
    if parts.scheme not in _SCHEMES or not parts.hostname or extra or not _GRAPHIC.fullmatch(text):
        raise _refused(text, _EXPECTED)
    return f"{parts.scheme}://{bracketed(parts.hostname)}:{port or (443 if parts.scheme == 'https' else 80)}"


def _socket(path: Path) -> SnapshotSource:
    return SnapshotSource(f"unix:{path}", path.stem if path.suffix == ".sock" else "")


def _directory(path: Path) -> list[SnapshotSource]:
    """The sockets in a directory, or in its folder `agents`, each named as the member that listens there."""
    for folder in (path / "agents", path):
        found = sorted(
            entry for entry in folder.glob("*.sock") if entry.name != _CONTROL and stat.S_ISSOCK(_mode(entry))
        )
        if found:
            return [_socket(entry) for entry in found]
    raise _refused(str(path), "expected a directory that holds agents' sockets (NAME.sock)")


def _mode(path: Path) -> int:
    """Return what `path` is, as os.stat says it; 0 where that cannot be found out."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _literal(address: str) -> str:
    """An IP address as a URL writes it, empty for anything else: a roster may not make us resolve names."""
    return bracketed(address) if is_literal(address) and "%" not in address else ""


def _refused(given: str, expected: str, field: str = "source") -> ConfigError:
    return ConfigError(f'{field}: got "{clip(given, 80)}", {expected}')

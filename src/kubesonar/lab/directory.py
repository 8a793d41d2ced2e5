"""The lab's directory: one lab in it at a time, readable by its owner only.

    members.json        the roster that the agents watch
    control.sock        where `kubesonar lab fault …` asks
    agents/NAME.sock    each agent's API
    rooms/NAME.sock     an older tool's room beside an agent
    logs/NAME.log       what each process said
    notices.jsonl       what the coordinators told the pager
    certificates/       of the API-like server
    account/            what shows its clients to it

A lock on the directory (flock(2)) says whether a lab runs, and ends with it however it ends; what an earlier one left
is cleared away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kubesonar.model import Member

_VERSION = 1  # of the members file (discovery/file.py)
_FOLDERS = ("agents", "rooms", "logs", "certificates", "account")
_FILES = ("members.json", "members.draft", "control.sock", "notices.jsonl")
_PATH_LIMIT = 80
"""Longest path of the directory, in bytes: the sockets in it must fit the 108 of struct sockaddr_un."""


class LabError(Exception):
    """The lab cannot be had; the text is one sentence for the person who asked."""


def default_path() -> Path:
    """Where a lab lives unless told: the user's runtime directory, else one in /tmp. Ask outside of the namespaces:
    a user namespace shows another uid."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime, "kubesonar-lab")
    return Path(f"/tmp/kubesonar-lab-{os.getuid()}")


class Directory:
    """A directory that this process has claimed until `release` or its end."""

    def __init__(self, path: Path) -> None:
        """Raises LabError where a lab runs there already, or the directory cannot be trusted or made."""
        self.path = path
        _make(path)
        self._lock = _lock(path)
        self._clear()
        for folder in _FOLDERS:
            (path / folder).mkdir(mode=0o700)

    @property
    def roster(self) -> Path:
        """The members file."""
        return self.path / "members.json"

    @property
    def control(self) -> Path:
        """The Unix socket on which the lab takes orders."""
        return control_socket(self.path)

    @property
    def notices(self) -> Path:
        """What the pager was told (lab/servers/pager.py)."""
        return self.path / "notices.jsonl"

    def agent_socket(self, name: str) -> Path:
        """The Unix socket of that member's API."""
        return self.path / "agents" / f"{name}.sock"

    def room_socket(self, name: str) -> Path:
        """The Unix socket of the room beside that member's agent."""
        return self.path / "rooms" / f"{name}.sock"

    @property
    def account(self) -> Path:
        """A service account as the kubelet mounts it."""
        return self.path / "account"

    @property
    def certificates(self) -> Path:
        """The folder of the lab's own certificate authority."""
        return self.path / "certificates"

    def log(self, name: str) -> Path:
        """What that process says."""
        return self.path / "logs" / f"{name}.log"

    def write_roster(self, members: Iterable[Member]) -> None:
        """Replaces the members file at once, so that no reader sees half of it. JSON is YAML and is read faster."""
        lines = ",\n".join(msgspec.json.encode(member).decode() for member in members)
        draft = self.path / "members.draft"
        draft.write_text(f'{{"version": {_VERSION}, "members": [\n{lines}\n]}}\n')
        draft.replace(self.roster)

    def release(self) -> None:
        """Removes what the lab made here and lets the next one in."""
        self._clear()
        if not any(self.path.iterdir()):
            self.path.rmdir()
        os.close(self._lock)

    def _clear(self) -> None:
        for folder in _FOLDERS:
            shutil.rmtree(self.path / folder, ignore_errors=True)
        for file in _FILES:
            (self.path / file).unlink(missing_ok=True)


def control_socket(path: Path) -> Path:
    """The control socket of the lab in the directory at `path`."""
    return path / "control.sock"


def _make(path: Path) -> None:
    if len(os.fsencode(path)) > _PATH_LIMIT:
        raise LabError(f"the lab's directory {path} has too long a path: at most {_PATH_LIMIT} bytes")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise LabError(f"the lab's directory {path} cannot be made: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise LabError(f"{path} cannot be the lab's directory: expected one that only its owner, this user, may enter")


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LabError(f"a lab already runs in {path}: end it, or choose another --directory") from None
    return descriptor

"""The directory of a lab: one lab in it at a time, accessible to its owner only.

    members.json        the roster that the agents watch
    control.sock        takes orders from `kubesonar lab fault …`
    agents/NAME.sock    the API of each agent
    collectors/NAME     what each collector keeps, beside its API (NAME.sock); of a coordinator's, its API alone
    collectors/secret   what agents show to collectors
    collectors/keys     the key by which agents sign reports, where the coordinator judges
    rooms/NAME.sock     an older tool's room beside an agent
    logs/NAME.log       the output of each process
    notices.jsonl       the notices that the receiver of webhooks got
    certificates/       of the API server
    account/            a service account for the API server, and a kubeconfig

A lock on the directory (flock(2)) shows that a lab runs, and ends with it in any case; what an earlier lab left, known
by its members.json, is removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

from kubesonar.core.encoding import encode_json
from kubesonar.model import Member
from kubesonar.net.watched_file import reason_of

_VERSION = 1
"""Version of the members file (discovery/file.py)."""
_FOLDERS = ("agents", "collectors", "rooms", "logs", "certificates", "account")
_FILES = ("members.draft", "control.sock", "notices.jsonl", "members.json")
"""Names of files, in the order in which they are removed: the one that shows whose all this is goes last."""
_PATH_LIMIT = 80
"""Longest path of the directory, in bytes: the paths of its sockets must fit the 108 bytes of struct sockaddr_un."""


class LabError(Exception):
    """The lab cannot run or be reached; the text is one sentence for the person who asked."""


def default_path() -> Path:
    """Return the directory that is used unless another is named: in the user's runtime directory where one may write
    there, else in /tmp. To be called outside of a user namespace, which shows another uid."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK | os.X_OK) and Path(runtime).is_dir():
        return Path(runtime, "kubesonar-lab")
    return Path(f"/tmp/kubesonar-lab-{os.getuid()}")


class Directory:
    """A directory that belongs to this process until `release` or the end of the process. Its attributes are the paths
    that are listed above."""

    def __init__(self, path: Path) -> None:
        """Make the directory. Raises LabError where a lab runs there already, the directory cannot be trusted or made,
        or it holds a file or folder of the names above that no lab made."""
        self.path = path
        self.roster = path / "members.json"
        self.control = control_socket(path)
        self.notices = path / "notices.jsonl"
        self.account = path / "account"
        self.certificates = path / "certificates"
        _make(path)
        self._lock = _lock(path)
        try:
            self._prepare()
        except OSError as error:
            os.close(self._lock)
            raise LabError(f"the lab's directory {path} cannot be used: {reason_of(error)}") from None
        except LabError:
            os.close(self._lock)
            raise

    def agent_socket(self, name: str) -> Path:
        """Return the path of the Unix socket of a member's API."""
        return self.path / "agents" / f"{name}.sock"

    def room_socket(self, name: str) -> Path:
        """Return the path of the Unix socket of the room beside a member's agent."""
        return self.path / "rooms" / f"{name}.sock"

    def collector_socket(self, name: str) -> Path:
        """Return the path of the Unix socket of a collector's API."""
        return self.path / "collectors" / f"{name}.sock"

    def collector_store(self, name: str) -> Path:
        """Return the path of the directory in which a collector keeps its incidents."""
        return self.path / "collectors" / name

    @property
    def collector_secret(self) -> Path:
        """The path of the file that agents show a line of to collectors."""
        return self.path / "collectors" / "secret"

    @property
    def key_file(self) -> Path:
        """The path of the file with the key by which agents sign what they report."""
        return self.path / "collectors" / "keys"

    @property
    def kubeconfig(self) -> Path:
        """The path of the file by which collectors reach the API server."""
        return self.path / "account" / "kubeconfig"

    def log(self, name: str) -> Path:
        """Return the path of a process's output."""
        return self.path / "logs" / f"{name}.log"

    def write_roster(self, members: Iterable[Member]) -> None:
        """Replace the members file atomically. JSON is YAML too, and is read faster."""
        lines = ",\n".join(encode_json(member).decode() for member in members)
        draft = self.path / "members.draft"
        draft.write_text(f'{{"version": {_VERSION}, "members": [\n{lines}\n]}}\n')
        draft.replace(self.roster)

    def release(self) -> None:
        """Remove what the lab made here, and unlock the directory."""
        self._clear()
        if not any(self.path.iterdir()):
            self.path.rmdir()
        os.close(self._lock)

    def _prepare(self) -> None:
        strange = [name for name in (*_FOLDERS, *_FILES) if (self.path / name).exists()]
        if strange and not self.roster.exists():
            raise LabError(
                f"{self.path} cannot be the lab's directory: it has a {strange[0]} that no lab made, expected an empty "
                "directory or that of an earlier lab"
            )
        self._clear()
        self.write_roster(())
        for folder in _FOLDERS:
            (self.path / folder).mkdir(mode=0o700)

    def _clear(self) -> None:
        for folder in _FOLDERS:
            shutil.rmtree(self.path / folder, ignore_errors=True)
        for file in _FILES:
            (self.path / file).unlink(missing_ok=True)


def control_socket(path: Path) -> Path:
    """Return the path of the control socket of the lab in the directory `path`."""
    return path / "control.sock"


def collector_sockets(path: Path) -> list[Path]:
    """Return the sockets at which collectors of the lab in the directory `path` listen, by name; none where it has
    none."""
    return [found for found in sorted((path / "collectors").glob("*.sock")) if _listens(found)]


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
        return connection.connect_ex(str(path)) == 0


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
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise LabError(f"the lab's directory {path} cannot be used: {reason_of(error)}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LabError(f"a lab already runs in {path}: end it, or choose another --directory") from None
    return descriptor

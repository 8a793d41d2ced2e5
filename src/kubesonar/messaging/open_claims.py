"""Keeps on disk what a coordinator has announced and has not ended: after a restart of all members at once nobody else
remembers it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from msgspec.structs import replace

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.core.membership.messages import StatusClaim
from kubesonar.model import UnixTime
from kubesonar.net.watched_file import read_file, reason_of
from kubesonar.runtime.logs import Changes

OPEN_CLAIMS_FILE = "open-claims.json"

MAX_CLAIMS = 1000
"""Most claims that are kept: a bound on the file and on what is claimed after a restart."""

_VERSION = 1
_SIZE_LIMIT = 4 << 20
_LONGEST = 86_400.0
"""Longest silence (s) that a claim may state."""

_LOG = logging.getLogger("kubesonar.membership")


class _File(msgspec.Struct, frozen=True):
    version: int
    at: UnixTime
    claims: Annotated[tuple[StatusClaim, ...], msgspec.Meta(max_length=MAX_CLAIMS)]


class OpenClaimsFile:
    """The file in `directory`; without one nothing is kept. `wall` tells the time (Unix seconds). A file that cannot be
    used is logged, once for each reason, and passed over."""

    def __init__(self, directory: str, wall: Callable[[], float]) -> None:
        self._path = f"{directory}/{OPEN_CLAIMS_FILE}" if directory else ""
        self._wall = wall
        self._written: tuple[StatusClaim, ...] | None = None
        self._changes = Changes(_LOG)

    def load(self) -> tuple[StatusClaim, ...]:
        """Return the claims that an earlier process left; their silence has gone on since."""
        if not self._path or not os.path.exists(self._path):  # noqa: PTH110 (pathlib costs an agent 0.3 MiB)
            return ()
        try:
            found = decode_json(read_file(self._path, _SIZE_LIMIT), _File)
            if found.version != _VERSION:
                raise ValueError(f"it has version {found.version}, expected {_VERSION}")
        except (OSError, ValueError) as error:  # Undecodable is one
            self._note(error if not isinstance(error, Undecodable) else ValueError(f"it is malformed: {error}"))
            return ()
        passed = max(0.0, self._wall() - found.at)
        return tuple(replace(one, silent=min(_LONGEST, one.silent + passed)) for one in found.claims)

    def save(self, claims: Sequence[StatusClaim]) -> None:
        """Keep these claims in the place of those before; nothing is written where they are the same."""
        kept = tuple(claims[:MAX_CLAIMS])
        same = tuple(replace(claim, silent=0.0) for claim in kept)
        nothing = not kept and self._written is None and not os.path.exists(self._path)  # noqa: PTH110
        if not self._path or same == self._written or nothing:
            return
        draft = f"{self._path}.new"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123
                file.write(encode_json(_File(_VERSION, self._wall(), kept)))
            os.replace(draft, self._path)  # noqa: PTH105
        except OSError as error:
            self._note(error)
        else:
            self._written = same
            self._changes.note(self._path, "")

    def _note(self, error: OSError | ValueError) -> None:
        self._changes.note(self._path, f"open conditions are not kept: {reason_of(error)}")

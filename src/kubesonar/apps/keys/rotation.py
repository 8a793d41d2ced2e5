"""The steps of a rotation, as changes to the bytes of a key file (`net/udp/key_file.py`); comments stay.

Each raises ValueError, which never repeats a key, where the file is malformed or the step would part the members.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from kubesonar.core.wire.keyring import LAST_KEY_ID, Keyring
from kubesonar.net.udp.key_file import KEY_FILE_LIMIT, read_keys

KeyFileChange = Callable[[bytes], tuple[bytes, str]]
"""Takes the bytes of a key file and returns those after the change, and what was done, as a clause about the file."""

_BYTES = 32


def add_key(data: bytes) -> tuple[bytes, str]:
    """Append a fresh key under the next id. Nothing signs with it yet, except where it is the first one."""
    line, number = next_key(data)
    changed = data + (b"\n" if data and not data.endswith(b"\n") else b"") + line
    if len(changed) > KEY_FILE_LIMIT:
        raise ValueError(f"with one more key it is larger than {KEY_FILE_LIMIT} bytes, remove comments or keys first")
    return changed, f"key {number} was added, key {read_keys(changed).signer} signs"


def next_key(data: bytes) -> tuple[bytes, int]:
    """Return the line of a fresh key with the next id, and that id: one more than the highest, and the lowest free one
    after `LAST_KEY_ID`. A file without a line has key 1 as its next."""
    held = read_keys(data).ids if data.strip() else ()
    if len(held) >= Keyring.LIMIT:
        raise ValueError(f"it holds {len(held)} keys and no more can be valid at once, remove one first")
    highest = max(held, default=0)
    number = highest + 1 if highest < LAST_KEY_ID else next(id for id in range(1, LAST_KEY_ID) if id not in held)
    return f"{number} {secrets.token_hex(_BYTES)}\n".encode(), number


def sign_with(number: int) -> KeyFileChange:
    """Return the step that moves this key to the top, so that it signs."""

    def change(data: bytes) -> tuple[bytes, str]:
        lines, place = _lines(data, number)
        chosen = lines.pop(place)
        first = next((at for at, line in enumerate(lines) if _id_of(line)), len(lines))
        lines.insert(first, chosen)
        return b"".join(lines), f"key {number} signs"

    return change


def remove_key(number: int) -> KeyFileChange:
    """Return the step that removes this key, which is then no longer accepted."""

    def change(data: bytes) -> tuple[bytes, str]:
        lines, place = _lines(data, number)
        signer = read_keys(data).signer
        if signer == number:
            raise ValueError(f"key {number} signs, have another one sign first")
        del lines[place]
        return b"".join(lines), f"key {number} was removed, key {signer} signs"

    return change


def _lines(data: bytes, number: int) -> tuple[list[bytes], int]:
    """Return the lines of a well-formed file, and which of them has the key."""
    held = read_keys(data).ids
    if number not in held:
        raise ValueError(f"it has no key {number}, it has {', '.join(map(str, sorted(held)))}")
    lines = [line + b"\n" for line in data.splitlines()]
    return lines, next(place for place, line in enumerate(lines) if _id_of(line) == number)


def _id_of(line: bytes) -> int:
    """Return the id of the key in a line of a well-formed file; 0 for an empty line or a comment."""
    words = line.partition(b"#")[0].split()
    return int(words[0]) if words else 0

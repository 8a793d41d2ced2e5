"""The signature of a request by a key that all members share: it proves that a member sent just this, just now."""

from __future__ import annotations

from hmac import compare_digest

from kubesonar.core.integers import read_integer
from kubesonar.core.wire.keyring import LAST_KEY_ID, Keyring

SIGNATURE_HEADER = "x-kubesonar-signature"
"""The header that holds a signature: the key's id, when it was made (Unix ms) and the MAC in hex, blanks between."""

MOST_AGE = 60.0
"""Seconds by which the clocks of two members may differ. More, and a recorded request is taken for as long; fewer, and
one whose clock is off is not heard."""

_MOST_MS = 10**14
"""Latest time of a signature (Unix ms): the year 5138, within what `read_integer` reads."""


def sign_request(keys: Keyring, path: str, body: bytes, now: float) -> str:
    """Return the signature of a request at `now` (Unix seconds) by the key that signs."""
    made = f"{now * 1000:.0f}"
    mac = keys.mac(keys.signer, _signed(path, body, made)) or b""
    return f"{keys.signer} {made} {mac.hex()}"


def why_not_signed(text: str, keys: Keyring, path: str, body: bytes, now: float) -> str:
    """Return why `text` is no signature of this request that can be believed at `now` (Unix seconds), a clause; empty
    where it is one."""
    key_id, _, rest = text.partition(" ")
    made, _, mac = rest.partition(" ")
    key, milliseconds = read_integer(key_id, 0, LAST_KEY_ID), read_integer(made, 0, _MOST_MS)
    if key is None or milliseconds is None:
        return f"it has no signature ({SIGNATURE_HEADER})"
    expected = keys.mac(key, _signed(path, body, made)) if keys.signer else None
    if expected is None:
        return f"it is signed with key {key}, which is not held here"
    if not compare_digest(expected.hex().encode(), mac.encode("utf-8", "replace")):
        return "its signature does not fit"
    age = now - milliseconds / 1000
    return f"it was signed {age:.0f} s ago: it is repeated, or the clocks differ" if abs(age) > MOST_AGE else ""


def _signed(path: str, body: bytes, made: str) -> bytes:
    """Return the bytes that are signed; no datagram of members begins like this."""
    return b"kubesonar request\n%s\n%s\n%s" % (path.encode(), made.encode(), body)

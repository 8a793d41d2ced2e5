"""The keys that members share: they sign datagrams and requests, and give datagrams their cookies."""

from __future__ import annotations

from hashlib import blake2s

LAST_KEY_ID = 255
"""Highest id of a key, which is one byte of a datagram; the lowest is 1."""

MAC_SIZE = 16
"""Bytes of a MAC (keyed BLAKE2s, RFC 7693). Fewer, and one is guessed; more, and each datagram is longer."""

COOKIE_SIZE = 2
"""Bytes of a cookie, by which the kernel tells members' datagrams from a flood before any is read."""


class Keyring:
    """Up to `LIMIT` keys that are valid at once, by id (1 to `LAST_KEY_ID`); `signer` signs, all are accepted. Without
    keys everything carries key id 0 and a checksum, and nothing else is accepted.

    Raises ValueError for a ring that cannot be used."""

    LIMIT = 4
    KEY_SIZES = range(16, 33)
    """Bytes of a key: not guessable at the lower end, BLAKE2s's most at the upper."""

    def __init__(self, keys: dict[int, bytes] | None = None, signer: int = 0) -> None:
        keys = keys or {}
        if len(keys) > self.LIMIT:
            raise ValueError(f"{len(keys)} keys were given, at most {self.LIMIT} can be valid at once")
        for number, key in keys.items():
            if not 1 <= number <= LAST_KEY_ID:
                raise ValueError(f"key id {number} is not in 1 to {LAST_KEY_ID}")
            if len(key) not in self.KEY_SIZES:
                raise ValueError(f"key {number} has {len(key)} bytes, 16 to 32 are expected")
        if keys and signer not in keys:
            raise ValueError(f"signing key {signer} is not among the keys given")
        self.signer = signer if keys else 0
        self._keyed = {number: blake2s(key=key, digest_size=MAC_SIZE) for number, key in keys.items()} or {
            0: blake2s(digest_size=MAC_SIZE)
        }
        self.cookies = {number: _cookie(key) for number, key in (keys or {0: b""}).items()}
        """The cookie of each key, by its id."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids accepted, the signer's first; 0 for "no keys"."""
        return (self.signer, *(number for number in self._keyed if number != self.signer))

    def mac(self, key: int, data: bytes | memoryview) -> bytes | None:
        """The MAC of `data` under that key, None for a key not held."""
        keyed = self._keyed.get(key)
        if keyed is None:
            return None
        digest = keyed.copy()
        digest.update(data)
        return digest.digest()


def _cookie(key: bytes) -> bytes:
    """The cookie of a key; zeros, which those send who know none, are no cookie."""
    found = blake2s(key=key, digest_size=COOKIE_SIZE, person=b"cookie").digest()
    return found if any(found) else b"\0\1"

"""Which keys may sign together; what they sign is in test_codec."""

from __future__ import annotations

import pytest

from kubesonar.core.wire.keyring import Keyring

OLD = b"old key, 16 byte"


@pytest.mark.parametrize(
    ("keys", "signer", "words"),
    [
        ({0: OLD}, 0, "key id 0 is not in 1 to 255"),
        ({256: OLD}, 256, "key id 256"),
        ({1: b"short"}, 1, "5 bytes, 16 to 32"),
        ({1: bytes(33)}, 1, "33 bytes"),
        ({1: OLD}, 2, "signing key 2"),
        (dict.fromkeys(range(1, 6), OLD), 1, "5 keys"),
    ],
)
def test_a_ring_that_cannot_be_used_is_refused(keys: dict[int, bytes], signer: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Keyring(keys, signer)

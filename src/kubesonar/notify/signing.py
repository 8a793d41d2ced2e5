"""Signatures of the Standard Webhooks scheme, by its library, which is imported only where there is a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubesonar.config import ConfigError
from kubesonar.notify.secret_file import secret_file

if TYPE_CHECKING:
    from standardwebhooks import Webhook

_PREFIX = "whsec_"
_SIZES = range(24, 65)
"""Bytes of a secret (Standard Webhooks 1.0.0, signature scheme)."""


class Signer:
    """Signs with every secret of a file (lines of "whsec_" and base64). A receiver accepts a message if one signature
    is right, so a secret is exchanged without a gap by keeping both in the file for a while."""

    def __init__(self, key: str, path: str) -> None:
        """Raises ConfigError where the file cannot be used or the library is missing."""
        try:
            import standardwebhooks  # noqa: F401
        except ModuleNotFoundError:
            raise ConfigError(f"{key} needs standardwebhooks: pip install 'kubesonar[webhooks]'") from None
        self._secrets = secret_file(key, path, _signer)

    def headers(self, id: str, now: float, body: bytes) -> tuple[tuple[str, str], ...]:
        """Return the headers for one try at `now` (Unix seconds)."""
        from datetime import UTC, datetime

        at = datetime.fromtimestamp(int(now), UTC)
        text = body.decode()
        signatures = " ".join(secret.sign(id, at, text) for secret in self._secrets.get())
        return (*unsigned(id, now), ("webhook-signature", signatures))


def unsigned(id: str, now: float) -> tuple[tuple[str, str], ...]:
    """Return the headers with the id of the message and the time of this try (Unix seconds)."""
    return ("webhook-id", id), ("webhook-timestamp", str(int(now)))


def _signer(line: str) -> Webhook:
    from base64 import b64decode

    from standardwebhooks import Webhook

    wrong = f'a line that is not "{_PREFIX}" and base64 of {_SIZES[0]} to {_SIZES[-1]} bytes'
    try:
        size = len(b64decode(line.removeprefix(_PREFIX), validate=True))
    except ValueError:
        raise ValueError(wrong) from None
    if not line.startswith(_PREFIX) or size not in _SIZES:
        raise ValueError(wrong)
    return Webhook(line)

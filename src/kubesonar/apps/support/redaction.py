"""Takes secrets out of configuration that is shown to others."""

from __future__ import annotations

import re
from typing import Any

from kubesonar.config.yamltext import read_document
from kubesonar.core.decoding import Undecodable
from kubesonar.model import mask_userinfo

REMOVED = "(removed)"

_SECRET_KEY = re.compile(
    r"(?i)(?:.*[_-])?(?:tokens?|passwords?|passphrase|secrets?|apikey|api_key|private_key|authorization)"
)
"""Keys whose values are secrets. Those that name a file ("token_file") or a Secret are none."""

_URL = re.compile(r"(?P<origin>[a-z][a-z0-9+.-]*://[^/?#\s]+)[/?#]\S*", re.IGNORECASE)
"""URLs with a path or a query, either of which may be a secret, as that of a webhook is."""


def redacted(text: str) -> str:
    """Return a JSON or YAML document as YAML without secrets: values under keys of secrets, user names and passwords in
    URLs, and what stands behind the host in a receiver's URL. A text that is no document is removed whole."""
    import yaml

    try:
        tree = read_document(text)
    except Undecodable:
        return f"{REMOVED}\n"
    return yaml.safe_dump(_clean(tree, False), sort_keys=False, allow_unicode=True)


def _clean(tree: Any, receiver: bool) -> Any:
    match tree:
        case dict():
            return {key: _under(str(key), below, receiver) for key, below in tree.items()}
        case list():
            return [_clean(below, receiver) for below in tree]
        case str():
            masked = mask_userinfo(tree)
            return _URL.sub(rf"\g<origin>/{REMOVED}", masked) if receiver else masked
        case _:
            return tree


def _under(key: str, below: Any, receiver: bool) -> Any:
    secret = below and _SECRET_KEY.fullmatch(key)
    return REMOVED if secret else _clean(below, receiver or key == "receivers")

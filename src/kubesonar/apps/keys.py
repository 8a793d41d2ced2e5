"""`kubesonar keys make`: the keys that members sign with and the token that reads need, printed or put into a Secret.

A Secret that exists is checked and not changed, so the command can run before every installation and upgrade.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import re
import secrets
import sys
from collections.abc import Sequence

import msgspec
import uvloop

from kubesonar.config import ConfigError
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import Object
from kubesonar.net.udp.key_file import read_keys

KEYS, TOKEN = "keys", "token"
"""Names of the two files in the Secret: for `keys.file` and for `api.token_file`."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_BYTES = 32


class Secret(Object, frozen=True):
    """v1 Secret, its values in base64."""

    data: dict[str, str] = msgspec.field(default_factory=dict)


class _NoSecret(Exception):
    """One sentence that says why the Secret cannot be used."""


def main(argv: Sequence[str]) -> int:
    """Return 0 when the keys were printed or the Secret is there, 1 when it could not be made or cannot be used."""
    given = _parser().parse_args(argv)
    if not given.secret:
        sys.stdout.write(key_file())
        return 0
    for flag, name in (("--secret", given.secret), ("--namespace", given.namespace)):
        if name and not _NAME.fullmatch(name):
            raise ConfigError(f'{flag}: got "{name[:80]}", expected a name of small letters, digits, "-" and "."')
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sentence = runner.run(_ensure(given.kubeconfig, given.namespace, given.secret))
    except (ApiError, CredentialsError, _NoSecret) as error:
        sys.stderr.write(f"kubesonar keys: {error}\n")
        return 1
    sys.stdout.write(f"{sentence}\n")
    return 0


def key_file() -> str:
    """Return a key file with one fresh key, numbered 1."""
    return f"1 {secrets.token_hex(_BYTES)}\n"


def make(name: str) -> bytes:
    """Return a v1 Secret of this name with fresh contents, as JSON."""
    return msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "kubesonar"}},
            "type": "Opaque",
            "data": {KEYS: _encoded(key_file()), TOKEN: _encoded(secrets.token_urlsafe(_BYTES))},
        }
    )


def complaint(secret: Secret) -> str:
    """Return why agents could not use this Secret, empty where they can; its contents are not repeated."""
    for name in (KEYS, TOKEN):
        if name not in secret.data:
            return f"it has no {name}"
        try:
            text = base64.b64decode(secret.data[name], validate=True)
            if name == KEYS:
                read_keys(text)
            elif not text.strip():
                return f"its {TOKEN} is empty"
        except ValueError as error:
            return f"its {name} cannot be used: {error}"
    return ""


async def _ensure(kubeconfig: str, namespace: str, name: str) -> str:
    client = Client(find_credentials(os.environ, kubeconfig))
    try:
        where = namespace or client.credentials.namespace
        path = f"/api/v1/namespaces/{where}/secrets"
        try:
            await client.send("POST", path, make(name), Secret)
        except ApiError as error:
            if error.status != 409:
                raise
            if wrong := complaint(await client.get(f"{path}/{name}", Secret)):
                raise _NoSecret(
                    f"Secret {where}/{name} is there, but {wrong}; mend it, or delete it to have another made"
                ) from None
            return f"Secret {where}/{name} is there and stays as it is"
        return f"Secret {where}/{name} made"
    finally:
        client.close()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kubesonar keys", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("verb", choices=["make"])
    parser.add_argument("--secret", default="", help="name of a Secret to make; without, a key file is printed")
    parser.add_argument("--namespace", default="", help="its namespace; without, the own one")
    parser.add_argument("--kubeconfig", default="", help="kubeconfig file; without, the pod's service account")
    return parser

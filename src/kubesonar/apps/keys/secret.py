"""The Secret with the keys that members sign with and the token that reads need."""

from __future__ import annotations

import base64
import secrets

import msgspec

from kubesonar.apps.keys.rotation import KeyFileChange, add_key
from kubesonar.core.encoding import encode_json
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import Object
from kubesonar.net.udp.key_file import read_keys

KEYS, TOKEN = "keys", "token"
"""Names of the two files in the Secret: for `keys.file` and for `api.token_file`."""

_TOKEN_BYTES = 32

_TRIES = 8
"""Times that a change is made again because somebody else changed the Secret meanwhile."""


class Secret(Object, frozen=True):
    """v1 Secret, its values in base64."""

    data: dict[str, str] = msgspec.field(default_factory=dict)


class SecretError(Exception):
    """One sentence that says why the Secret cannot be used."""


class SecretStore:
    """One Secret of one namespace. Every method raises ApiError where the API server refuses."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._name = name
        self._where = f"Secret {namespace}/{name}"
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    async def is_missing(self) -> bool:
        """Return whether there is no such Secret."""
        try:
            await self._read()
        except ApiError as error:
            if error.status != 404:
                raise
            return True
        return False

    async def ensure(self) -> str:
        """Make the Secret; one that is there is checked and stays as it is. Return a sentence that says so. Raises
        SecretError where agents could not use it."""
        try:
            await self._client.send("POST", self._path, _fresh(self._name), Secret)
        except ApiError as error:
            if error.status != 409:
                raise
            if wrong := complaint(await self._read()):
                raise SecretError(
                    f"{self._where} is there, but {wrong}; mend it, or delete it to have another made"
                ) from None
            return f"{self._where} is there and stays as it is"
        return f"{self._where} made"

    async def change(self, change: KeyFileChange) -> str:
        """Change the keys, nothing else, and return a sentence that says how. Raises SecretError where they cannot be
        changed so; then the Secret is as before."""
        for _ in range(_TRIES):
            secret = await self._read()
            if wrong := complaint(secret):
                raise SecretError(f"{self._where} stays as it is, as {wrong}")
            try:
                keys, said = change(base64.b64decode(secret.data[KEYS]))
            except ValueError as error:
                raise SecretError(f"{self._where}: {error}") from None
            patch = {
                "metadata": {"resourceVersion": secret.metadata.resource_version},
                "data": {KEYS: base64.b64encode(keys).decode()},
            }
            body, kind = encode_json(patch), "application/merge-patch+json"
            try:
                await self._client.send("PATCH", f"{self._path}/{self._name}", body, Secret, kind)
            except ApiError as error:
                if error.status != 409:
                    raise
                continue
            return f"{self._where}: {said}"
        raise SecretError(f"{self._where} stays as it is: somebody else changed it each of {_TRIES} times")

    async def _read(self) -> Secret:
        return await self._client.get(f"{self._path}/{self._name}", Secret)


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


def _fresh(name: str) -> bytes:
    """Return a v1 Secret of this name with fresh contents, as JSON."""
    contents = {KEYS: add_key(b"")[0], TOKEN: secrets.token_urlsafe(_TOKEN_BYTES).encode()}
    return encode_json(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "kubesonar"}},
            "type": "Opaque",
            "data": {name: base64.b64encode(value).decode() for name, value in contents.items()},
        }
    )

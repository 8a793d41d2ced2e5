"""`kubesonar keys certificate`: makes the collector's CA and certificate in a Secret, once, and renews the certificate.

The Secret has `ca.crt`, which agents trust, `tls.crt` and `tls.key`, which the collector serves with, and `ca.key`, by
which the certificate is made anew without anybody having to trust another CA. A Secret that is there stays as it is as
long as its certificate is for the same names and good for a year, so that the command can run before every upgrade.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import uvloop

from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.keys.secret import Secret, SecretError
from kubesonar.apps.keys.x509 import CertificatePair, expires_and_names, new_authority, new_certificate
from kubesonar.config import ConfigError
from kubesonar.core.encoding import encode_json
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import is_object_name

_LEAST = timedelta(days=365)
"""Time that a certificate must be good for. Less, and it may expire before the next upgrade; more, and each upgrade
makes another."""

_CA_CERT, _CA_KEY, _CERT, _KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"

_TRIES = 4
"""Times that a change is made again because somebody else changed the Secret meanwhile."""


def main(arguments: Sequence[str]) -> int:
    """Return 0 when the Secret holds a good certificate, 1 when it could not be made. Raises ConfigError."""
    given = _parser().parse_args(arguments)
    for flag, name in (("--secret", given.secret), ("--namespace", given.namespace)):
        if name and not is_object_name(name):
            raise ConfigError(f'{flag}: got "{name[:80]}", expected a name of small letters, digits, "-" and "."')
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            said = runner.run(_run(given))
    except (ApiError, CredentialsError, SecretError) as error:
        sys.stderr.write(f"kubesonar keys: {error}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


async def _run(given: argparse.Namespace) -> str:
    client = Client(find_credentials(os.environ, given.kubeconfig))
    namespace = given.namespace or client.credentials.namespace
    try:
        for _ in range(_TRIES):
            said = await _ensured(client, namespace, given.secret, given.host, renew=given.renew)
            if said:
                return f"Secret {namespace}/{given.secret} {said}"
        raise SecretError(f"Secret {namespace}/{given.secret}: somebody else changed it each of {_TRIES} times")
    finally:
        client.close()


async def _ensured(client: Client, namespace: str, name: str, hosts: Sequence[str], *, renew: bool) -> str:
    """Make or renew what the Secret lacks, and return what was done; empty where somebody else was quicker."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        secret = await client.get(f"{path}/{name}", Secret)
    except ApiError as error:
        if error.status != 404:
            raise
        body = encode_json(_fresh(name, hosts))
        return await _sent(client, "POST", path, body, "made")
    try:
        expires, names = expires_and_names(base64.b64decode(secret.data.get(_CERT, "")))
        stays = not renew and expires - datetime.now(UTC) >= _LEAST and names == set(hosts)
    except ValueError:
        stays = False
    if stays:
        return "is there and stays as it is"
    made = _signed(secret, hosts, f"Secret {namespace}/{name}")
    patch = {
        "metadata": {"resourceVersion": secret.metadata.resource_version},
        "data": _encoded({_CERT: made.certificate, _KEY: made.key}),
    }
    return await _sent(client, "PATCH", f"{path}/{name}", encode_json(patch), "has another certificate of the same CA")


async def _sent(client: Client, method: str, path: str, body: bytes, said: str) -> str:
    kind = "application/json" if method == "POST" else "application/merge-patch+json"
    try:
        await client.send(method, path, body, Secret, kind)
    except ApiError as error:
        if error.status != 409:
            raise
        return ""
    return said


def _signed(secret: Secret, hosts: Sequence[str], where: str) -> CertificatePair:
    try:
        authority = CertificatePair(base64.b64decode(secret.data[_CA_CERT]), base64.b64decode(secret.data[_CA_KEY]))
        return new_certificate(authority, hosts)
    except (KeyError, ValueError):
        raise SecretError(
            f"{where} is there, but has no CA of ours; delete it to have another made, or name it in "
            "collector.tlsSecretName to have it used as it is"
        ) from None


def _fresh(name: str, hosts: Sequence[str]) -> dict[str, object]:
    authority = new_authority("kubesonar collector")
    made = new_certificate(authority, hosts)
    contents = {_CA_CERT: authority.certificate, _CA_KEY: authority.key, _CERT: made.certificate, _KEY: made.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "kubesonar"}},
        "type": "kubernetes.io/tls",
        "data": _encoded(contents),
    }


def _encoded(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(value).decode() for name, value in contents.items()}


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="kubesonar keys certificate", description="The collector's CA and certificate, in a Secret."
    )
    parser.add_argument("--secret", required=True, help="name of the Secret")
    parser.add_argument("--host", action="append", required=True, help="a DNS name of the collector; may be repeated")
    parser.add_argument("--renew", action="store_true", help="make another certificate, by the same CA")
    parser.add_argument("--namespace", default="", help="its namespace; without, the own one")
    parser.add_argument("--kubeconfig", default="", help="kubeconfig file; without, the pod's service account")
    return parser

"""`kubesonar keys`: makes the keys that members sign with, rotates them in a file or a Secret, and says which ones the
agents know (docs/agent.md#rotating-keys); makes the collector's certificate.

A Secret that exists is checked and not changed by `make` alone, so that the command can run before every installation
and upgrade. Read `rotation.py` first, then `secret.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.keys.locked_file import change_file
from kubesonar.apps.keys.rotation import KeyFileChange, add_key, next_key, remove_key, sign_with
from kubesonar.apps.keys.secret import SecretError, SecretStore
from kubesonar.config import ConfigError
from kubesonar.core.integers import read_integer
from kubesonar.core.wire.keyring import LAST_KEY_ID
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import is_object_name
from kubesonar.net.udp.key_file import KEY_FILE_LIMIT
from kubesonar.net.watched_file import read_file, reason_of


def main(argv: Sequence[str]) -> int:
    """Return 0 when it is done (`status`: when the agents agree), 1 when it could not be. Raises ConfigError."""
    if argv and argv[0] == "status":
        from kubesonar.apps.keys import status  # only people need what it imports

        return status.main(argv[1:])
    if argv and argv[0] == "certificate":
        from kubesonar.apps.keys import certificate  # only the collector's image has what it imports

        return certificate.main(argv[1:])
    given = _parser().parse_args(argv)
    if given.secret and given.file:
        raise ConfigError("FILE, --secret: expected one of both")
    try:
        said = _in_secret(given) if given.secret else _in_file(given)
    except (ApiError, CredentialsError, SecretError) as error:
        return _complain(str(error))
    except (OSError, ValueError) as error:
        return _complain(f"{given.file}: {reason_of(error)}")
    sys.stdout.write(said)
    return 0


def _in_file(given: argparse.Namespace) -> str:
    change = _change(given)
    if change is None:
        return next_key(read_file(given.file, KEY_FILE_LIMIT) if given.file else b"")[0].decode()
    if not given.file:
        raise ConfigError(f"{given.verb}: expected FILE or --secret NAME")
    path = Path(given.file)
    if given.verb != "make":
        path.stat()  # raises where it is missing, which else would be an empty file
    said = change_file(path, KEY_FILE_LIMIT, change)
    if path.stat().st_mode & 0o007:
        sys.stderr.write(f"kubesonar keys: {given.file} is open to every user of this machine: chmod 600 it\n")
    return f"{given.file}: {said}\n"


def _in_secret(given: argparse.Namespace) -> str:
    for flag, name in (("--secret", given.secret), ("--namespace", given.namespace)):
        if name and not is_object_name(name):
            raise ConfigError(f'{flag}: got "{name[:80]}", expected a name of small letters, digits, "-" and "."')

    async def run() -> str:
        client = Client(find_credentials(os.environ, given.kubeconfig))
        try:
            store = SecretStore(client, given.namespace or client.credentials.namespace, given.secret)
            change = _change(given)
            if change is None or (given.verb == "make" and await store.is_missing()):
                return await store.ensure()
            return await store.change(change)
        finally:
            client.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return f"{runner.run(run())}\n"


def _change(given: argparse.Namespace) -> KeyFileChange | None:
    """Return the step that is asked for, None where nothing changes that is there."""
    if given.verb == "make":
        return add_key if given.append else None
    return sign_with(given.id) if given.verb == "sign" else remove_key(given.id)


def _complain(sentence: str) -> int:
    sys.stderr.write(f"kubesonar keys: {sentence}\n")
    return 1


def _key_id(text: str) -> int:
    key = read_integer(text, 1, LAST_KEY_ID)
    if key is None:
        raise argparse.ArgumentTypeError(f'got "{text[:20]}", expected a key id of 1 to {LAST_KEY_ID}')
    return key


def _parser() -> CommandParser:
    parser = CommandParser(prog="kubesonar keys", description="Keys that members sign with.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="make|sign|remove|status|certificate")
    make = verbs.add_parser("make", help="print the next key; with --append, add it; with --secret, make the Secret")
    make.add_argument("--append", action="store_true", help="add the key as the last one; FILE is made if missing")
    sign = verbs.add_parser("sign", help="have this key sign: it moves to the top")
    remove = verbs.add_parser("remove", help="remove a key that no agent signs with")
    for verb in (sign, remove):
        verb.add_argument("id", metavar="ID", type=_key_id, help="the key's id")
    verbs.add_parser("certificate", help="make the collector's CA and certificate in a Secret, once", add_help=False)
    verbs.add_parser("status", help="ask agents which keys they know and sign with", add_help=False)
    for verb in (make, sign, remove):
        verb.add_argument("file", metavar="FILE", nargs="?", default="", help="a key file; none: what make prints is 1")
        verb.add_argument("--secret", default="", help="name of a Secret instead of a file")
        verb.add_argument("--namespace", default="", help="its namespace; without, the own one")
        verb.add_argument("--kubeconfig", default="", help="kubeconfig file; without, the pod's service account")
    return parser

"""`kubesonar dns`: asks a cluster's DNS servers and says which part is sick (docs/dns.md).

Each verb is a module with a `main`, imported only when it is asked for: what runs in a helper pod loads nothing that
only people need. Read `look_options` for what the verbs share.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from kubesonar.config import ConfigError

DNS_VERBS = {
    "check": "one look: a table, a verdict in one sentence, exit 0 good, 1 bad, 2 unknown",
    "watch": "look for ever: metrics on port 9890, and a log line for each change",
    "repair": "say which DNS pod should be restarted; --yes restarts it",
    "ask": "ask the servers that are named, from here",
    "exec": "run a command in the helper pod: dns exec -- dig +short NAME",
    "rbac": "print the rights that a standpoint needs, as YAML",
}
"""The verbs, and what each does."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb that the first argument names and return its exit code. Raises ConfigError, and SystemExit where
    there is none."""
    name, *rest = [*arguments] or ["--help"]
    if name in ("--help", "-h"):
        rows = (f"  {verb:<8}{words}" for verb, words in DNS_VERBS.items())
        (sys.stdout if arguments else sys.stderr).write(
            "\n".join(["usage: kubesonar dns VERB …", "", *rows, "", "--help after a verb says more.", ""])
        )
        if not arguments:
            raise SystemExit(2)
        return 0
    if name not in DNS_VERBS:
        raise ConfigError(f'unknown command "dns {name[:40]}", expected one of {", ".join(DNS_VERBS)}')
    verb: Callable[[Sequence[str]], int] = import_module(f"kubesonar.apps.dns.{name}").main
    return verb(rest)

"""`kubectl sonar`: people's commands for an installation in a cluster, by way of its API server (docs/kubectl.md).

Nothing needs to be reachable but the API server: the installation is found by its labels, its token is read from its
Secret, and its collector, or its agents, are reached by port-forward over WebSocket. Arguments come in; a command's
output and exit code go out. Read `arguments.py` first, then `reaching.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from msgspec.structs import replace

from kubesonar.apps.kubectl.arguments import read_arguments
from kubesonar.apps.kubectl.commands import KUBECTL_COMMANDS, run_plugin_command
from kubesonar.config import ConfigError

_HELP = """\
usage: kubectl sonar COMMAND [flags]

{commands}

Flags of every command, before or after it:
  -n, --namespace NAME   the installation's namespace; default: wherever one is found
  -A, --all-namespaces   look everywhere, which is the default
      --release NAME     the installation's name, where there are several
      --context NAME     context of the kubeconfig; default: its current one
      --kubeconfig FILE  default: $KUBECONFIG, ~/.kube/config
  -o, --output FORMAT    json, yaml, or wide (each finding is explained)
Others are those of kubesonar COMMAND: kubectl sonar COMMAND --help.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command that is named, before or after flags, and return its exit code. Raises ConfigError, and
    SystemExit where none is named."""
    given = read_arguments(arguments)
    if not given.own:
        sys.stderr.write(plugin_usage())
        raise SystemExit(2)
    name, *own = given.own
    if name in ("--help", "-h", "help"):
        sys.stdout.write(plugin_usage())
        return 0
    if name not in KUBECTL_COMMANDS:
        raise ConfigError(f'unknown command "{name[:40]}"; expected one of {", ".join(KUBECTL_COMMANDS)}')
    return run_plugin_command(name, replace(given, own=tuple(own)))


def plugin_usage() -> str:
    """Return the text of --help."""
    width = max(map(len, KUBECTL_COMMANDS))
    return _HELP.format(
        commands="\n".join(f"  {name:<{width}}  {each.help}" for name, each in KUBECTL_COMMANDS.items())
    )

"""`kubectl sonar`: people's commands for an installation in a cluster, by way of its API server (docs/kubectl.md).

Nothing needs to be reachable but the API server: the installation is found by its labels, its token is read from its
Secret, and its collector, or its agents, are reached by port-forward over WebSocket. Arguments come in; a command's
output and exit code go out. Read `arguments.py` first, then `reaching.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kubesonar.apps.kubectl.arguments import read_arguments
from kubesonar.apps.kubectl.commands import KUBECTL_COMMANDS, run_plugin_command
from kubesonar.config import ConfigError

_HELP = """\
usage: kubectl sonar COMMAND [flags]

{commands}

Flags of every command:
  -n, --namespace NAME   the installation's namespace; default: wherever one is found
  -A, --all-namespaces   look everywhere, which is the default
      --release NAME     the installation's name, where there are several
      --context NAME     context of the kubeconfig; default: its current one
      --kubeconfig FILE  default: $KUBECONFIG, ~/.kube/config
  -o, --output FORMAT    json, yaml, or wide (each finding is explained)
Others are those of kubesonar COMMAND: kubectl sonar COMMAND --help.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command that is named and return its exit code; 2 where it cannot be run as asked. Raises ConfigError."""
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        (sys.stdout if arguments else sys.stderr).write(plugin_usage())
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in KUBECTL_COMMANDS:
        raise ConfigError(f'unknown command "{name[:40]}"; expected one of {", ".join(KUBECTL_COMMANDS)}')
    return run_plugin_command(name, read_arguments(rest))


def plugin_usage() -> str:
    """Return the text of --help."""
    width = max(map(len, KUBECTL_COMMANDS))
    return _HELP.format(
        commands="\n".join(f"  {name:<{width}}  {each.help}" for name, each in KUBECTL_COMMANDS.items())
    )

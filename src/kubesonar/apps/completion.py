"""`kubesonar completion`: scripts by which bash, zsh and fish complete commands and flags, and what they ask."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Sequence

from kubesonar.apps.kubectl.commands import KUBECTL_COMMANDS
from kubesonar.config import ConfigError

_ASKING = "candidates"
"""The word by which a script asks: `kubesonar completion candidates WORD…`, the last one being typed."""

SHELLS = {
    "bash": """\
_kubesonar() {
  local IFS=$'\\n'
  COMPREPLY=($(kubesonar completion candidates "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _kubesonar kubesonar
""",
    "zsh": """\
#compdef kubesonar
_kubesonar() {
  local -a found
  found=("${(@f)$(kubesonar completion candidates "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n "$found" ]] && compadd -a found || _files
}
if [[ $funcstack[1] == _kubesonar ]]; then
  _kubesonar "$@"  # read from fpath, to complete at once
else
  compdef _kubesonar kubesonar
fi
""",
    "fish": """\
function __kubesonar
  set -l last (commandline -ct)
  set -l words (commandline -opc) "$last"
  set -l found (kubesonar completion candidates $words[2..-1] 2>/dev/null)
  if set -q found[1]
    printf '%s\\n' $found
  else
    __fish_complete_path "$last"
  end
end
complete -c kubesonar -f -a '(__kubesonar)'
""",
}
"""The script of each shell."""

_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9._-]*[a-z0-9]")


def run_completion(arguments: Sequence[str], commands: Collection[str], help_of: Callable[[list[str]], str]) -> int:
    """Print the script of the shell that is named, or what may stand for the last word. Raises ConfigError."""
    name, *words = [*arguments] or [""]
    if name == _ASKING:
        sys.stdout.write("".join(f"{each}\n" for each in candidates(words, commands, help_of)))
    elif name in SHELLS:
        sys.stdout.write(SHELLS[name])
    else:
        raise ConfigError(f'completion: got "{name[:20]}", expected one of {", ".join(SHELLS)}')
    return 0


def candidates(words: Sequence[str], commands: Collection[str], help_of: Callable[[list[str]], str]) -> list[str]:
    """Return what may stand for the last word: a command, or a flag that the help of the command names. None for
    anything else, which the shell then completes as a file."""
    *before, last = [*words] or [""]
    if not before:
        found: Collection[str] = commands
    elif before == ["kubectl"]:
        found = KUBECTL_COMMANDS
    elif last.startswith("-"):
        found = sorted(set(_FLAG.findall(help_of(before[: 2 if before[0] == "kubectl" else 1]))))
    else:
        found = ()
    return [each for each in found if each.startswith(last)]

"""The table of commands, and `main`, which imports only the command that is asked for: an agent never loads Rich or
Typer."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from typing import NamedTuple

from kubesonar import __version__
from kubesonar.config import ConfigError
from kubesonar.runtime.descriptors import open_standard_descriptors
from kubesonar.runtime.streams import ErrorStream, EscapingStream, OutputError


class Command(NamedTuple):
    """One command: its description in one line, the function to call, as "module:function", and those of its verbs that
    have a help of their own. The function takes the arguments after the command's name and returns an exit code."""

    help: str
    target: str
    verbs: tuple[str, ...] = ()


COMMANDS: dict[str, Command] = {
    "agent": Command("probe the other members and answer them; one runs on every node", "kubesonar.apps.agent:main"),
    "collector": Command(
        "take the agents' reports, judge the mesh, remember and answer; once a cluster", "kubesonar.apps.collector:main"
    ),
    "lab": Command(
        "a real mesh on this machine, with faults on demand and a verdict", "kubesonar.apps.lab:main", ("fault",)
    ),
    "check": Command(
        "say in one sentence whether the network is healthy; exit 0 good, 1 bad, 2 unknown",
        "kubesonar.apps.client.check:main",
    ),
    "explain": Command(
        "why a finding is held to be true, and what would confirm it", "kubesonar.apps.client.explain:main"
    ),
    "history": Command(
        "what was wrong, when, and what was told of it: a collector's incidents and notices",
        "kubesonar.apps.client.history:main",
    ),
    "dns": Command(
        "ask the cluster's DNS servers from here and say which part is sick: dns check, dns --help",
        "kubesonar.apps.dns:main",
        ("check", "watch", "repair", "ask", "exec", "rbac"),
    ),
    "support": Command("write one archive for a bug report; check --from reads it", "kubesonar.apps.support:main"),
    "map": Command("show who reaches whom, live", "kubesonar.apps.client.map:main"),
    "simulate": Command(
        "a virtual cluster: elections, deaths and what is told of them", "kubesonar.apps.simulate:main"
    ),
    "config": Command(
        "config show: the configuration in force, and where each value comes from", "kubesonar.apps.config:main"
    ),
    "keys": Command(
        "make and rotate the keys that members sign with; who knows which",
        "kubesonar.apps.keys:main",
        ("make", "sign", "remove", "status", "certificate"),
    ),
    "kubenurse": Command(
        "serve what kubenurse served, told by its environment variables", "kubesonar.compat.kubenurse.program:main"
    ),
    "knh": Command("do what KNH did, told by its environment variables", "kubesonar.compat.knh.program:main"),
    "netchecker-server": Command(
        "take reports and serve what netchecker's server served, told by its flags",
        "kubesonar.compat.netchecker.server.program:main",
    ),
    "netchecker-agent": Command(
        "report to a netchecker server what netchecker's agent reported, told by its flags",
        "kubesonar.compat.netchecker.agent.program:main",
    ),
    "kubectl": Command(
        "all that asks an installation in a cluster, its page, and a trial without one: kubectl sonar",
        "kubesonar.apps.kubectl:main",
    ),
    "completion": Command(
        "print the script by which bash, zsh or fish complete commands and flags", "kubesonar.cli:completion"
    ),
    "version": Command("print the version", "kubesonar.cli:version"),
}

PLUGIN_COMMANDS = ("page", "try")
"""Commands that only `kubectl sonar` has, since they need a cluster."""

_EXTRAS = {
    "jinja2": "page",
    "rich": "cli",
    "typer": "cli",
    "websockets": "cli",
    "pyroute2": "lab",
    "trustme": "lab",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names (None: the arguments of the process) and return the exit code: the command's
    own, 2 where it cannot be run as asked, 70 after a bug of kubesonar, 74 where its output cannot be written, 130
    after Ctrl-C, 141 where the reader of its output went away."""
    open_standard_descriptors()
    _end_on_signals()
    with redirect_stdout(EscapingStream(sys.stdout)), redirect_stderr(ErrorStream(sys.stderr)):
        return _run(argv)


def kubectl_sonar() -> int:
    """Run `kubectl sonar`, which kubectl starts as the program kubectl-sonar, and return the exit code."""
    return main(["kubectl", *sys.argv[1:]])


def _run(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _finished(arguments)
        sys.stdout.flush()
    except ConfigError as error:
        return _complain(str(error), _more(arguments))
    except KeyboardInterrupt:
        return 130
    except OutputError as error:
        return _output_lost(error)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            return _report_bug()
        return _complain(f"this command needs {error.name}: pip install 'kubesonar[{extra}]'")
    except Exception:  # noqa: BLE001 (the interpreter would leave with 1, which says "bad" of the network)
        return _report_bug()
    return code


def version(arguments: Sequence[str]) -> int:
    """Print the version. Raises ConfigError."""
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write("usage: kubesonar version\n")
        return 0
    if arguments:
        raise ConfigError(f'version: got "{arguments[0][:40]}", expected no argument')
    sys.stdout.write(f"kubesonar {__version__} (Python {sys.version.split()[0]})\n")
    return 0


def completion(arguments: Sequence[str]) -> int:
    """Print the completion script of a shell, or what it asks. Raises ConfigError."""
    if {"--help", "-h"} & set(arguments[:1]):
        sys.stdout.write("usage: kubesonar completion bash|zsh|fish\n")
        return 0
    from kubesonar.apps.completion import run_completion

    return run_completion(arguments, COMMANDS, _help_text)


def kubectl_completion() -> int:
    """Answer kubectl, which asks the program kubectl_complete-sonar what may follow `kubectl sonar`, and return 0."""
    from kubesonar.apps.completion import candidates

    found = candidates(["kubectl", *sys.argv[1:]], COMMANDS, _help_text)
    sys.stdout.write("\n".join([*found, ":4", ""]))  # 4: names of files make no sense (cobra's NoFileComp)
    return 0


def _help_text(command: list[str]) -> str:
    """Return what --help of a command prints, empty for a command that there is not."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        code = _finished([*command, "--help"])
    return printed.getvalue() if code == 0 else ""


def usage() -> str:
    """Return the text of --help."""
    width = max(map(len, COMMANDS))
    rows = (f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items())
    return "\n".join(["usage: kubesonar COMMAND …", "", *rows, "", "kubesonar COMMAND --help says more.", ""])


def _end_on_signals() -> None:
    """Let SIGINT and SIGTERM end this process and its children although the parent ignores them. A shell without job
    control ignores SIGINT for what it starts in the background, and children inherit that."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def _finished(arguments: list[str]) -> int:
    """Run the command and return its exit code, also where it raises SystemExit, as argparse does after --help."""
    try:
        code = _dispatch(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 2
        if code == 2:
            sys.stderr.write(_more(arguments))
    if code == 0 and {"--help", "-h"} & set(arguments[1:]):
        from kubesonar.apps.examples import example_lines  # only people need it

        sys.stdout.write(example_lines(_command_of(arguments)))
    return code


def _command_of(arguments: Sequence[str]) -> str:
    """Return the command that is asked for, as "check" or, of kubectl's plug-in, as "kubectl check"; empty for a
    command that there is not."""
    name, *rest = arguments or [""]
    if name != "kubectl":
        return name if name in COMMANDS else ""
    from kubesonar.apps.kubectl.commands import KUBECTL_COMMANDS  # loaded already, as it has run

    return " ".join([name, *[word for word in rest if word in KUBECTL_COMMANDS][:1]])


def _more(arguments: Sequence[str]) -> str:
    """Return the line that ends an error: the command that shows more."""
    name, *command = _command_of(arguments).split() or [""]
    program = ["kubectl", "sonar"] if name == "kubectl" else ["kubesonar", *filter(None, [name])]
    known = COMMANDS.get(command[0] if command else name)
    verb = [word for word in arguments[1:] if known is not None and word in known.verbs][:1]
    return " ".join([*program, *command, *verb, "--help shows more\n"])


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        sys.stderr.write(usage())
        return 2
    name, *rest = arguments
    if name in ("--help", "-h", "help"):
        sys.stdout.write(usage())
        return 0
    if name == "--version":
        name = "version"
    if name not in COMMANDS:
        return _complain(_unknown(name), _more([]))
    module, _, name = COMMANDS[name].target.partition(":")
    function: Callable[[Sequence[str]], int] = getattr(import_module(module), name)
    return function(rest)


def _unknown(name: str) -> str:
    import difflib

    near = [f"kubectl sonar {name}"] if name in PLUGIN_COMMANDS else difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COMMANDS)}"
    return f'unknown command "{name[:40]}"; {hint}'


def _report_bug() -> int:
    """Print the traceback of the present exception and return EX_SOFTWARE of sysexits.h."""
    import traceback

    traceback.print_exc()
    sys.stderr.write("kubesonar: this is a bug of kubesonar; the lines above say where\n")
    return 70


def _output_lost(error: OutputError) -> int:
    """Return 141, as of a process that SIGPIPE ended, where the reader of the output went away: `| head` is no mistake
    and needs no word. Else say why it cannot be written and return EX_IOERR of sysexits.h: a verdict that nobody got is
    none."""
    if isinstance(error.__cause__, BrokenPipeError):
        return 141
    sys.stderr.write(f"kubesonar: standard output cannot be written: {error}\n")
    return 74


def _complain(sentence: str, more: str = "") -> int:
    sys.stderr.write(f"kubesonar: {sentence}\n{more}")
    return 2

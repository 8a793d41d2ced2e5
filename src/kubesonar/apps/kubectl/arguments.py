"""Arguments that every command of `kubectl sonar` takes, as kubectl names them; the others are the command's own."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from kubesonar.apps.command_parser import CommandParser
from kubesonar.config import ConfigError
from kubesonar.kube.resource import is_namespace


class OutputFormat(StrEnum):
    """The form in which a command answers: text, text with all that explains it, or a document."""

    TEXT = ""
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


class KubectlArguments(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of one command; `own` are its name and those that it reads itself."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    release: str = ""
    output: OutputFormat = OutputFormat.TEXT
    own: tuple[str, ...] = ()


def read_arguments(arguments: Sequence[str]) -> KubectlArguments:
    """Return the arguments, among which the command's name may stand anywhere. Raises ConfigError."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    given, own = _parser().parse_known_args(words[:end])
    if given.namespace and not is_namespace(given.namespace):
        raise ConfigError(f'--namespace: got "{given.namespace[:80]}", expected the name of a namespace')
    if given.output not in set(map(str, OutputFormat)):
        raise ConfigError(f'--output: got "{given.output[:20]}", expected json, yaml or wide')
    return KubectlArguments(
        kubeconfig=given.kubeconfig,
        context=given.context,
        namespace="" if given.all_namespaces else given.namespace,
        release=given.release,
        output=OutputFormat(given.output),
        own=(*own, *words[end:]),
    )


def _parser() -> CommandParser:
    parser = CommandParser(prog="kubectl sonar", add_help=False, allow_abbrev=False)
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--context", default="")
    parser.add_argument("-n", "--namespace", default="")
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("--release", default="")
    parser.add_argument("-o", "--output", default="")
    return parser

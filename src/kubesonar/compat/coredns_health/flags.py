"""The documented flags of coredns-healthcheck, as Go's package flag writes them ("-udpPort 53", "-udpPort=53")."""

from __future__ import annotations

import argparse

import msgspec

from kubesonar.config.arguments import port_argument

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class HealthcheckFlags(msgspec.Struct, frozen=True):
    """The meaning of the flags that were given, here: None where a flag was not given. `ignored` names those that
    change nothing."""

    kubeconfig: str | None
    port: int | None
    allow_pods: bool | None
    ignored: tuple[str, ...]


def add_healthcheck_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    group = parser.add_argument_group("flags of coredns-healthcheck, for manifests that have them")
    group.add_argument("-path", metavar="FILE", help="kubeconfig file, as --kubeconfig")
    group.add_argument("-allowPods", type=_boolean, metavar="BOOL", help="whether a helper pod may be made")
    group.add_argument(
        "-port", dest="old_port", type=port_argument, metavar="PORT", help="port of the DNS Service, as --port"
    )
    group.add_argument("-udpPort", type=port_argument, metavar="PORT", help="the same")
    group.add_argument("-memFactor", metavar="N", help="taken, changes nothing: memory limits are not touched")
    group.add_argument("-replicas", metavar="N", help="taken, changes nothing")


def healthcheck_flags(given: argparse.Namespace) -> HealthcheckFlags:
    """Return what the flags mean."""
    ignored = tuple(f"-{name}" for name in ("memFactor", "replicas") if getattr(given, name) is not None)
    port = given.udpPort if given.udpPort is not None else given.old_port
    return HealthcheckFlags(given.path, port, given.allowPods, ignored)


def _boolean(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f'got "{text[:20]}", expected true or false')
    return text in _TRUE

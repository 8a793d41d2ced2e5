"""`kubesonar dns rbac`: prints the rights that a standpoint needs, as manifests for kubectl apply."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.dns.look_options import VANTAGES, add_service_option
from kubesonar.doctor.rights import DnsPlace, manifests, repair_rules, rules_of
from kubesonar.kube.resource import is_namespace


def main(arguments: Sequence[str]) -> int:
    """Print a service account, Roles and bindings; return 0."""
    parser = CommandParser(
        prog="kubesonar dns rbac",
        description="Print the least rights that a standpoint needs, as YAML, right from Kubernetes 1.28 to 1.36.",
    )
    parser.add_argument("--vantage", type=int, choices=VANTAGES, required=True, help="the standpoint (docs/dns.md)")
    parser.add_argument(
        "--namespace", type=_namespace, default="kubesonar", help="the doctor's own namespace (default: %(default)s)"
    )
    parser.add_argument(
        "--account", type=_namespace, default="kubesonar-dns", help="its service account (default: %(default)s)"
    )
    parser.add_argument("--repair", action="store_true", help="also those for restarting sick DNS pods")
    add_service_option(parser)
    given = parser.parse_args(arguments)
    place = DnsPlace(dns=given.service[0], own=given.namespace)
    rules = (*rules_of(given.vantage, place), *(repair_rules(place) if given.repair else ()))
    sys.stdout.write(manifests(dict.fromkeys(rules), given.account, given.account, given.namespace))
    return 0


def _namespace(text: str) -> str:
    if not is_namespace(text):
        raise argparse.ArgumentTypeError(f'got "{text[:80]}", expected lower case letters, digits and hyphens')
    return text

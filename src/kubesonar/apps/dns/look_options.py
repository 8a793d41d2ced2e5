"""The arguments that say which DNS is looked at, from where, and how the API server is asked: for all verbs."""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping

import msgspec

from kubesonar.config import ConfigError
from kubesonar.config.arguments import port_argument
from kubesonar.core.address import is_literal
from kubesonar.core.dns.names import encode_name
from kubesonar.core.dns_check.questions import NAMES_LIMIT
from kubesonar.core.probing.resolv_conf import ResolvConf
from kubesonar.doctor.helper_making import HelperWish
from kubesonar.doctor.look import Looker, LookOptions
from kubesonar.doctor.servers import DnsTarget
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import Client
from kubesonar.kube.resource import is_namespace, is_object_name
from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.dns.resolver_file import read_resolv_conf
from kubesonar.net.watched_file import reason_of

VANTAGES = (1, 2, 3, 4)
"""The numbers of the standpoints (docs/dns.md)."""


def add_look_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of one look."""
    add_service_option(parser)
    add = parser.add_argument
    add("--port", type=port_argument, default=0, help="its port (default: found by its name)")
    add("--domain", type=read_domain_name, default="", help="the cluster's domain (default: found)")
    add(
        "--outside",
        type=read_domain_name,
        default="example.com",
        metavar="NAME",
        help="a name outside the cluster, which tells DNS from its upstream; empty: none (default: %(default)s)",
    )
    add(
        "--headless",
        type=read_domain_name,
        default="",
        metavar="NAME",
        help="the name of a headless Service (default: found)",
    )
    add(
        "--large",
        type=read_domain_name,
        default="",
        metavar="NAME",
        help="a name with a large answer (default: that of a headless Service with 30 addresses or more)",
    )
    add(
        "--name",
        type=read_domain_name,
        action="append",
        default=[],
        metavar="NAME",
        help=f"a further name that must resolve; may be given {NAMES_LIMIT} times",
    )
    add(
        "--upstream",
        type=_address,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="an upstream server of the cluster's DNS; may be repeated (default: those in the Corefile)",
    )
    add("--vantage", type=int, choices=VANTAGES, default=0, help="the standpoint (default: the best that can be taken)")
    add_helper_options(parser)
    add("--no-helper", action="store_true", help="never make a helper pod")
    add(
        "--timeout",
        type=read_seconds,
        default=2.0,
        metavar="SECONDS",
        help="how long an answer is waited for (default: 2)",
    )
    add_client_options(parser)
    add("--resolv-conf", default="/etc/resolv.conf", metavar="FILE", help="where this machine's resolver is configured")


def add_service_option(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the DNS Service."""
    parser.add_argument(
        "--service",
        type=_service,
        default=("kube-system", "kube-dns"),
        metavar="NAMESPACE/NAME",
        help="the DNS Service (default: kube-system/kube-dns)",
    )


def add_client_options(parser: argparse.ArgumentParser) -> None:
    """Add the argument that says how the API server is asked."""
    parser.add_argument(
        "--kubeconfig", default="", metavar="FILE", help="kubeconfig file (default: the pod's account, then as kubectl)"
    )


def add_helper_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how a helper pod is made."""
    add = parser.add_argument
    add(
        "--namespace",
        type=_namespace,
        default="",
        help="the doctor's own namespace, where a helper pod is made (default: that of the credentials)",
    )
    add(
        "--image", default="", help="image of a helper pod, with kubesonar or dig (default: that of kubesonar's agents)"
    )
    add("--keep", action="store_true", help="leave the helper pod for the next look (default: remove it)")


def look_options(given: argparse.Namespace) -> LookOptions:
    """Return the options of a look that the arguments mean. Raises ConfigError for too many names."""
    if len(given.name) > NAMES_LIMIT:
        raise ConfigError(f"--name: got {len(given.name)}, expected at most {NAMES_LIMIT}")
    namespace, name = given.service
    target = DnsTarget(
        namespace=namespace,
        name=name,
        port=given.port,
        domain=given.domain,
        headless=given.headless,
        large=given.large,
        upstream=tuple(given.upstream),
    )
    helper = msgspec.structs.replace(helper_of(given), permitted=not given.no_helper)
    return LookOptions(
        target=target,
        outside=given.outside,
        also=tuple(given.name),
        vantage=given.vantage,
        helper=helper,
        timeout=given.timeout,
    )


def helper_of(given: argparse.Namespace) -> HelperWish:
    """Return what the arguments want of a helper pod."""
    return HelperWish(namespace=given.namespace, image=given.image, keep=given.keep)


def client_of(given: argparse.Namespace, environ: Mapping[str, str]) -> Client:
    """Return a client of the API server. Raises ConfigError where there are no credentials."""
    try:
        return Client(find_credentials(environ, given.kubeconfig))
    except CredentialsError as error:
        raise ConfigError(f"{error}; `kubesonar dns ask ADDRESS` needs no API server") from None


def looker(given: argparse.Namespace, environ: Mapping[str, str], clock: Clock | None = None) -> Looker:
    """Return what looks as the arguments say. Raises ConfigError where there are no credentials for an API server."""
    inside = bool(environ.get("KUBERNETES_SERVICE_HOST")) and not given.kubeconfig
    return Looker(
        client_of(given, environ),
        look_options(given),
        own_resolver(given.resolv_conf),
        inside=inside,
        clock=clock or SystemClock(),
        rng=random.SystemRandom(),
    )


def own_resolver(path: str) -> ResolvConf:
    """Return this machine's resolver, an empty one where there is no such file. Raises ConfigError where it cannot be
    read."""
    try:
        return read_resolv_conf(path)
    except FileNotFoundError:
        return ResolvConf()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--resolv-conf: {path}: {reason_of(error)}") from None


def _service(text: str) -> tuple[str, str]:
    namespace, found, name = text.rpartition("/")
    namespace = namespace if found else "kube-system"
    if not is_namespace(namespace) or not is_object_name(name):
        raise argparse.ArgumentTypeError(f'got "{text[:80]}", expected NAMESPACE/NAME or NAME')
    return namespace, name


def _namespace(text: str) -> str:
    if text and not is_namespace(text):
        raise argparse.ArgumentTypeError(f'got "{text[:80]}", expected lower case letters, digits and hyphens')
    return text


def read_domain_name(text: str) -> str:
    """Read the name of an argument, without its final dot. Raises ArgumentTypeError."""
    try:
        encode_name(text or ".")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a domain name: {error}") from None
    return text.rstrip(".")


def _address(text: str) -> str:
    if not is_literal(text):
        raise argparse.ArgumentTypeError(f'got "{text[:80]}", expected an IP address')
    return text


def read_seconds(text: str) -> float:
    """Read a duration of an argument (s). Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 30:
        raise argparse.ArgumentTypeError(f'got "{text[:20]}", expected seconds from 0.05 to 30')
    return value

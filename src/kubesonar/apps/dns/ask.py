"""`kubesonar dns ask`: asks the servers that are named, from here. The doctor runs it in its helper pod."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Sequence

import uvloop

from kubesonar.apps.command_parser import CommandParser
from kubesonar.apps.dns.look_options import own_resolver, read_domain_name, read_seconds
from kubesonar.apps.dns.printing import add_output_options, print_look
from kubesonar.config import ConfigError
from kubesonar.core.address import is_literal, read_port
from kubesonar.core.dns_check.questions import AskedServer, AskPlan, DnsNames, ServerRole, usual_asks
from kubesonar.core.dns_check.results import DnsLook, DnsResult
from kubesonar.doctor.direct import DirectAsker
from kubesonar.doctor.packed_plan import unpack_plan
from kubesonar.net.clock import SystemClock

_DOMAIN = "cluster.local"


def main(arguments: Sequence[str]) -> int:
    """Ask and print; return 0 for good, 1 for bad, 2 for unknown. Raises ConfigError."""
    parser = CommandParser(prog="kubesonar dns ask", description="Ask DNS servers from here.")
    parser.add_argument("servers", nargs="*", metavar="ADDRESS[:PORT]", help="IP addresses of servers")
    parser.add_argument(
        "--domain", type=read_domain_name, default="", help="the cluster's domain (default: that of the search list)"
    )
    parser.add_argument(
        "--outside",
        type=read_domain_name,
        default="",
        metavar="NAME",
        help="also ask for this name outside the cluster",
    )
    parser.add_argument(
        "--timeout", type=read_seconds, default=2.0, metavar="SECONDS", help="for an answer (default: 2)"
    )
    parser.add_argument("--plan", default="", metavar="PACKED", help="servers and questions, as the doctor packs them")
    parser.add_argument("--resolv-conf", default="/etc/resolv.conf", metavar="FILE", help="this machine's resolver")
    add_output_options(parser)
    given = parser.parse_args(arguments)
    plan = _given_plan(given.plan) if given.plan else _plan(given)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(_ask(plan))
    look = DnsLook(at=time.time(), vantage=1, why="this command runs here", results=tuple(results))
    return print_look(look, given)


async def _ask(plan: AskPlan) -> list[DnsResult]:
    async with DirectAsker(SystemClock(), random.SystemRandom()) as asker:
        return await asker.ask(plan)


def _given_plan(text: str) -> AskPlan:
    try:
        return unpack_plan(text)
    except ValueError as error:
        raise ConfigError(f"--plan: {error}") from None


def _plan(given: argparse.Namespace) -> AskPlan:
    if not given.servers:
        raise ConfigError("ADDRESS: expected at least one IP address of a DNS server")
    domain = given.domain or own_resolver(given.resolv_conf).domain or _DOMAIN
    asks = usual_asks(DnsNames(domain=domain, outside=given.outside))
    return AskPlan(tuple(map(_server, given.servers)), asks, given.timeout)


def _server(text: str) -> AskedServer:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if is_literal(text):
        return AskedServer(text, ServerRole.SERVER, text)
    number = read_port(port)
    if is_literal(host) and number:
        return AskedServer(text, ServerRole.SERVER, host, number, number)
    raise ConfigError(f'ADDRESS: got "{text[:80]}", expected an IP address, or one with a port, as in 10.0.0.2:5353')

"""`kubesonar dns check` and `ask` in a pod of a lab, where unbound serves DNS: each fault ends in its sentence and exit
code. One lab has all faults, one after the other; each test looks at what was said of one."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from kubesonar.apps.dns import main
from kubesonar.lab.kernel.namespaces import within
from kubesonar.lab.kernel.syscalls import mount
from kubesonar.lab.network.firewall import load_rules
from kubesonar.lab.topology import DNS_VIP
from kubesonar.lab.world import LabWorld
from tests.doctor.cluster import endpoints, kubernetes, service
from tests.doctor.dns_server import DnsServerDouble, serving
from tests.kube.apiserver import ApiServer
from tests.lab.inside import address, in_world, needs_nft, order
from tests.programs import needs
from tests.unbound import unbound

pytestmark = [pytest.mark.lab, needs_nft, needs("unbound")]

STANDPOINT = "node-1-pod"
ACCOUNT = Path("/run/secrets/kubernetes.io/serviceaccount")
POD, OTHER = "coredns-3", "coredns-4"
"""The pods on dns-1 and dns-2, as the API server calls them."""
API = "kubernetes.default.svc.cluster.local."
LARGE = "many.kube-system.svc.cluster.local"
CLUSTER = (
    f"{API} 5 A 10.96.0.1",
    f"{API} 5 AAAA fd00::1",
    "10.0.96.10.in-addr.arpa. 5 PTR kube-dns.kube-system.svc.cluster.local.",
    *(f"{LARGE}. 5 A 10.1.0.{number}" for number in range(100)),
)
SLOW_PORT = 5300
"""Port of a server on dns-1 that takes its time."""


def forwarding(zone: str, to: str) -> tuple[str, ...]:
    return "forward-zone:", f'  name: "{zone}"', f"  forward-addr: {to}"


FORWARDING = forwarding("com.", "10.90.0.55")


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A fault and what is said of it: a piece of the first line, and the exit code. `records` and `lines` are of the
    unbound on dns-1, `upstream` are lines of the upstream's, `orders` are faults of the lab, `rules` nft's on dns-1."""

    said: str
    code: int = 1
    arguments: tuple[str, ...] = ("check",)
    records: tuple[str, ...] = CLUSTER
    lines: tuple[str, ...] = FORWARDING
    upstream: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    rules: str = ""


PATIENT = ("--timeout", "10")
"""For servers of which each answers, also on a busy machine."""
HASTY = ("--timeout", "1.5")
"""For what never answers."""
LOSS = "chain in { type filter hook prerouting priority 0; udp dport 53 numgen inc mod 1000000 == 0 drop; }"
"""Drops the first question."""

TROUBLES = {
    "well": Trouble(
        said="DNS is healthy: kube-dns, coredns-3 and coredns-4 answered", code=0, arguments=("check", *PATIENT)
    ),
    "asked by address": Trouble(
        said="DNS is healthy: 10.90.0.53 answered", code=0, arguments=("ask", "10.90.0.53", *PATIENT)
    ),
    "deaf by UDP": Trouble(
        said=f"the DNS pod {POD} on node-3 does not answer by UDP, by TCP it does",
        arguments=("check", *HASTY),
        orders=("dns dns-1 udp",),
    ),
    "slow": Trouble(
        said=f"{POD} takes ",
        arguments=("check", *PATIENT),
        records=(),
        lines=(
            'local-zone: "cluster.local." transparent',
            "do-not-query-localhost: no",
            *forwarding("cluster.local.", f"127.0.0.1@{SLOW_PORT}"),
            *FORWARDING,
        ),
    ),
    "lossy": Trouble(
        said="questions were answered only when asked again, by 10.90.0.53: packets are lost",
        arguments=("ask", "10.90.0.53", *HASTY),
        rules=LOSS,
    ),
    "SERVFAIL": Trouble(
        said=f"the DNS pod {POD} on node-3 answers wrongly by UDP: SERVFAIL instead of NOERROR for",
        arguments=("check", *PATIENT),
        records=(),
        lines=('local-zone: "cluster.local." transparent', *forwarding(".", "10.90.0.55")),
        upstream=('local-zone: "cluster.local." refuse',),
    ),
    "wrong answers": Trouble(
        said=f"the DNS pod {POD} on node-3 answers wrongly by UDP: 10.66.6.6 instead of 10.96.0.1 for",
        arguments=("check", *PATIENT),
        records=(f"{API} 5 A 10.66.6.6",),
    ),
    "truncated": Trouble(
        said=f"the DNS pod {POD} on node-3 answers wrongly by UDP: truncated for",
        arguments=("check", *PATIENT),
        lines=("max-udp-size: 80", *FORWARDING),
    ),
    "no large answers": Trouble(
        said=f"{POD} answers small questions, large answers by UDP, in fragments, and by TCP do not come: no answer",
        arguments=("check", "--large", LARGE, *HASTY),
        lines=("max-udp-size: 4096", *FORWARDING),
        orders=("mtu dns-1>node-1 1000",),
    ),
    "refusing": Trouble(
        said=f"the DNS pod {POD} on node-3 answers wrongly by UDP: REFUSED instead of NOERROR for",
        arguments=("check", *PATIENT),
        lines=("access-control: 10.0.0.0/8 refuse", *FORWARDING),
    ),
    "way cut": Trouble(
        said=f"the DNS pod {POD} on node-3 does not answer from here, by UDP or TCP",
        arguments=("check", *HASTY),
        orders=("drop node-1>dns-1",),
    ),
    "cluster IP dead": Trouble(
        said="the DNS Service kube-dns does not answer from here though coredns-3 and coredns-4 behind it do",
        arguments=("check", *HASTY),
        orders=("vip node-1",),
    ),
    "all dead": Trouble(
        said="no DNS server answers from here: kube-dns, coredns-3 and coredns-4; all of them are dead, or the way",
        arguments=("check", *HASTY),
        orders=("drop node-1>dns-1", "drop node-1>dns-2"),
    ),
    # Last, as the unbound on dns-2 remembers for long that its upstream was silent.
    "lame upstream": Trouble(
        said="com does not (SERVFAIL instead of NOERROR): the upstream resolver is at fault, not the cluster's DNS",
        arguments=("check", *PATIENT),
        upstream=("access-control: 10.90.0.0/16 refuse",),
    ),
    "silent upstream": Trouble(
        said="com does not (no answer within 1.5 s): the upstream resolver is at fault, not the cluster's DNS",
        arguments=("check", *HASTY),
        orders=("upstream",),
    ),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What was printed about each trouble, and the exit code."""
    output = tmp_path_factory.mktemp("dns") / "printed.json"
    in_world(partial(look_at_all, output=output), dns=True)
    return msgspec.json.decode(output.read_bytes(), type=dict[str, tuple[int, str]])


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_ends_in_its_sentence_and_exit_code(printed: dict[str, tuple[int, str]], name: str) -> None:
    code, said = printed[name]
    assert TROUBLES[name].said in said.partition("\n")[0], said
    assert code == TROUBLES[name].code, said


@pytest.mark.parametrize("name", TROUBLES)
def test_the_service_is_not_accused_of_what_a_pod_does(printed: dict[str, tuple[int, str]], name: str) -> None:
    _, said = printed[name]
    accused = [line for line in said.partition("\n\n")[0].splitlines() if "kube-dns" in line]
    assert not accused or name in ("well", "cluster IP dead", "all dead"), said


def test_ask_says_from_where(printed: dict[str, tuple[int, str]]) -> None:
    assert printed["asked by address"][1].endswith("asked from standpoint 1: this command runs here\n")


def look_at_all(world: LabWorld, output: Path) -> None:
    """Write, for each trouble, the exit code and what was printed."""
    printed, pod = dict[str, tuple[int, str]](), world.network(STANDPOINT)
    mount("none", "/run", "tmpfs", 0)
    ACCOUNT.mkdir(parents=True)
    api = ApiServer()
    api.put("services", service(53, vip=DNS_VIP))
    api.put("services", kubernetes())
    api.put("endpointslices", endpoints(53, "10.90.0.53", "10.90.0.54"))
    within(pod, api.start)
    os.environ |= api.in_cluster(ACCOUNT)
    resolver = world.directory.path / "resolv.conf"
    resolver.write_text(f"search cluster.local\nnameserver {DNS_VIP}\noptions ndots:2\n")
    try:
        with served(world, "dns-2", CLUSTER, FORWARDING), slow_server(world):
            for number, (name, trouble) in enumerate(TROUBLES.items()):
                ask = ("--outside", f"outside-{number}.com", "--resolv-conf", str(resolver))
                with troubled(world, trouble), contextlib.redirect_stdout(io.StringIO()) as text:
                    code = within(pod, partial(main, [*trouble.arguments, *ask]))
                printed[name] = code, text.getvalue()
    finally:
        api.stop()
    output.write_bytes(msgspec.json.encode(printed))


@contextlib.contextmanager
def served(world: LabWorld, name: str, records: Iterable[str], lines: Iterable[str]) -> Iterator[None]:
    """Serve the records at a server of the lab."""
    folder, at = world.directory.path, address(world, name)
    with unbound(folder, 53, records, *lines, address=at, network=world.network(name)):
        yield


@contextlib.contextmanager
def slow_server(world: LabWorld) -> Iterator[None]:
    """Serve the cluster's names on dns-1, half a second late."""
    double = DnsServerDouble("127.0.0.1", SLOW_PORT)
    double.delay = 0.5
    service = serving([double])
    within(world.network("dns-1"), service.__enter__)
    try:
        yield
    finally:
        service.__exit__(None, None, None)


@contextlib.contextmanager
def troubled(world: LabWorld, trouble: Trouble) -> Iterator[None]:
    """Serve DNS with the trouble."""
    network = world.network("dns-1")
    assert network is not None
    with (
        served(world, "dns-1", trouble.records, trouble.lines),
        served(world, "upstream", ["com. 5 A 192.0.2.1"], ('local-zone: "com." redirect', *trouble.upstream)),
    ):
        for text in trouble.orders:
            order(world, text)
        load_rules(f"table ip trouble {{\n{trouble.rules}\n}}", network)
        try:
            yield
        finally:
            load_rules("delete table ip trouble", network)
            world.clear()

"""Standpoints outside the cluster: a helper pod and port-forward, chosen by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubesonar.core.dns_check.questions import AskPurpose, ServerRole
from kubesonar.core.dns_check.results import DnsOutcome
from kubesonar.core.dns_check.verdict import judge_look
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.helper_making import HelperWish
from kubesonar.doctor.rights import HELPER
from kubesonar.doctor.servers import DnsTarget
from kubesonar.model import Health
from tests.doctor import dns_server
from tests.doctor.cluster import DnsCluster, corefile, dns_cluster
from tests.doctor.dns_server import HEADLESS, SERVICE
from tests.doctor.helper import RIGHTS, kubelet
from tests.doctor.looking import look_at
from tests.kube import shapes
from tests.kube.store import Refused
from tests.programs import needs

WISH = HelperWish(namespace="doctors", image="registry.example/kubesonar:1")
KNOWN = DnsTarget(domain="cluster.local")
FORWARD = {"get pods/portforward"}


def no_helper(cluster: DnsCluster) -> bool:
    try:
        cluster.api.get("pods", HELPER, "doctors")
    except Refused:
        return True
    return False


def made(cluster: DnsCluster) -> list[Any]:
    return cluster.api.asked("create", "pods")


def test_the_helper_pod_asks_with_kubesonar_and_is_removed(tmp_path: Path) -> None:
    with dns_cluster() as cluster, kubelet(cluster):
        cluster.rights |= RIGHTS
        look = look_at(cluster, tmp_path, helper=WISH, vantage=3, target=KNOWN)
        assert no_helper(cluster)
    assert (look.vantage, look.why) == (3, "a helper pod may be made in namespace doctors")
    assert judge_look(look).health is Health.GOOD
    assert {one.server.role for one in look.results} == {ServerRole.SERVICE, ServerRole.POD}
    assert {command[:3] for command in map(tuple, cluster.commands)} == {("kubesonar", "dns", "ask")}


@needs("dig")
def test_in_an_image_without_kubesonar_dig_asks(tmp_path: Path) -> None:
    with dns_cluster() as cluster, kubelet(cluster, programs=("dig",)):
        cluster.rights |= RIGHTS
        cluster.pods[1].udp = cluster.pods[1].tcp = dns_server.wrong
        known = msgspec.structs.replace(KNOWN, headless=HEADLESS)
        look = look_at(cluster, tmp_path, helper=WISH, vantage=3, target=known, also=(SERVICE,))
    assert [(one.part, one.subject) for one in judge_look(look).findings][:1] == [("pod", "coredns-2")]
    assert {one.outcome for one in look.results if one.server.name == "coredns-1"} == {DnsOutcome.GOOD}
    asked = {one.ask.purpose for one in look.results}
    assert asked >= {AskPurpose.HEADLESS, AskPurpose.REVERSE, AskPurpose.NAMED} and AskPurpose.PAIR not in asked
    assert look.untested == ("pairs of A and AAAA were not asked: dig sends one question at a time from a socket",)


@pytest.mark.parametrize("programs", [("kubesonar", "cat"), ("kubesonar",)])
def test_the_helper_pod_asks_the_resolvers_of_its_node_where_it_can_tell_them(
    programs: tuple[str, ...], tmp_path: Path
) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.99\nnameserver not-an-address\n")
    with dns_cluster() as cluster, kubelet(cluster, programs=programs, resolv_conf=conf):
        cluster.rights |= RIGHTS
        cluster.api.put("configmaps", corefile("forward . /etc/resolv.conf\n"))
        look = look_at(cluster, tmp_path, helper=WISH, vantage=3, target=KNOWN)
    upstreams = {one.server.address for one in look.results if one.server.role is ServerRole.UPSTREAM}
    unasked = [line for line in look.unknown if "each node's resolv.conf" in line]
    assert (upstreams, len(unasked)) == (({"127.0.0.99"}, 0) if "cat" in programs else (set(), 1))


def test_an_image_with_neither_is_refused(tmp_path: Path) -> None:
    with dns_cluster() as cluster, kubelet(cluster, programs=()):
        cluster.rights |= RIGHTS
        with pytest.raises(AskFailed, match="neither kubesonar nor dig runs"):
            look_at(cluster, tmp_path, helper=WISH, vantage=3, target=KNOWN)
        assert no_helper(cluster)


def test_what_a_crash_left_is_swept_at_the_next_start(tmp_path: Path) -> None:
    left = shapes.pod(HELPER, namespace="doctors") | {"status": {"phase": "Failed", "reason": "DeadlineExceeded"}}
    with dns_cluster() as cluster, kubelet(cluster):
        cluster.rights |= RIGHTS
        cluster.api.put("pods", left)
        assert look_at(cluster, tmp_path, helper=WISH, vantage=3, target=KNOWN).vantage == 3
        assert no_helper(cluster)
        assert len(made(cluster)) == 1


def test_a_kept_pod_serves_the_next_look_while_its_image_is_the_same(tmp_path: Path) -> None:
    keep = HelperWish(namespace="doctors", image="registry.example/kubesonar:1", keep=True)
    with dns_cluster() as cluster, kubelet(cluster):
        cluster.rights |= RIGHTS
        for _ in range(2):
            look_at(cluster, tmp_path, helper=keep, vantage=3, target=KNOWN)
        assert len(made(cluster)) == 1
        assert not no_helper(cluster)
        other = HelperWish(namespace="doctors", image="registry.example/kubesonar:2")
        look_at(cluster, tmp_path, helper=other, vantage=3, target=KNOWN)
        assert len(made(cluster)) == 2
        assert no_helper(cluster)


def test_the_pod_is_small_unprivileged_and_ends_by_itself(tmp_path: Path) -> None:
    keep = HelperWish(namespace="doctors", image="registry.example/kubesonar:1", keep=True)
    with dns_cluster() as cluster, kubelet(cluster):
        cluster.rights |= RIGHTS
        look_at(cluster, tmp_path, helper=keep, vantage=3, target=KNOWN)
        pod = cluster.api.get("pods", HELPER, "doctors")
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["activeDeadlineSeconds"] > 0
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["dnsPolicy"] == "Default"
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        (("Pending", "ImagePullBackOff"), "ImagePullBackOff"),
        (("Failed", ""), "ended at once"),
    ],
)
def test_a_pod_that_never_runs(of: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    with dns_cluster() as cluster, kubelet(cluster, phase=of[0], waiting=of[1]):
        cluster.rights |= RIGHTS
        with pytest.raises(AskFailed, match=sentence):
            look_at(cluster, tmp_path, helper=WISH, vantage=3, target=KNOWN)
        assert no_helper(cluster)


def test_no_helper_pod_in_the_namespace_of_dns(tmp_path: Path) -> None:
    with dns_cluster() as cluster, pytest.raises(AskFailed, match="in the namespace of DNS, kube-system"):
        look_at(cluster, tmp_path, helper=HelperWish(namespace="kube-system", image="x"), vantage=3, target=KNOWN)


def test_the_image_of_kubesonars_agents_is_found(tmp_path: Path) -> None:
    with dns_cluster() as cluster, kubelet(cluster):
        cluster.rights |= RIGHTS
        cluster.api.put("pods", shapes.pod("agent-1", namespace="doctors"))
        look_at(cluster, tmp_path, helper=HelperWish(namespace="doctors", keep=True), vantage=3, target=KNOWN)
        (container,) = cluster.api.get("pods", HELPER, "doctors")["spec"]["containers"]
    assert container["image"] == "registry.example/kubesonar:1"


def test_without_an_image_it_says_which_are_looked_for(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        cluster.rights |= RIGHTS
        with pytest.raises(AskFailed, match=r"--image"):
            look_at(cluster, tmp_path, helper=HelperWish(namespace="doctors"), vantage=3, target=KNOWN)


def test_a_missing_right_is_named_with_its_rule(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        cluster.rights |= RIGHTS - {"create pods"}
        with pytest.raises(AskFailed, match=r"namespace doctors with .*resources: \[pods\], verbs: \[create\]"):
            look_at(cluster, tmp_path, helper=WISH, vantage=3, target=KNOWN)


def forwarded(cluster: DnsCluster) -> None:
    """The pods' localhosts, behind port-forward."""
    for number in (1, 2):
        listening = cluster.api.switches.streams.listening
        listening[f"coredns-{number}", cluster.port] = (f"127.0.0.1{number}", cluster.port)


def test_by_port_forward_each_pod_is_asked_by_tcp_and_nothing_is_called_healthy(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        forwarded(cluster)
        look = look_at(cluster, tmp_path, vantage=4)
    assert {one.server.name for one in look.results} == {"coredns-1", "coredns-2"}
    assert {one.outcome for one in look.results} == {DnsOutcome.GOOD}
    assert all(one.ask.tcp for one in look.results)
    verdict = judge_look(look)
    assert verdict.health is Health.UNKNOWN
    assert "UDP, the pod network and the Service were not tested" in verdict.sentence


def test_by_port_forward_a_wrong_pod_is_found(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        forwarded(cluster)
        cluster.pods[0].tcp = dns_server.wrong
        cluster.pods[1].tcp = dns_server.silent
        verdict = judge_look(look_at(cluster, tmp_path, vantage=4))
    assert [(one.subject, one.fault) for one in verdict.findings] == [
        ("coredns-1", "wrong_answer"),
        ("coredns-2", "unreached"),
    ]


def test_a_server_that_does_not_listen_on_localhost_is_not_called_dead(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        look = look_at(cluster, tmp_path, vantage=4)
        forwarded(cluster)
        del cluster.api.switches.streams.listening["coredns-2", cluster.port]
        half = judge_look(look_at(cluster, tmp_path, vantage=4))
    assert {one.outcome for one in look.results} == {DnsOutcome.UNREACHABLE}
    verdict = judge_look(look)
    assert (verdict.health, verdict.findings) == (half.health, half.findings) == (Health.UNKNOWN, ())
    assert verdict.sentence.startswith(
        "cannot tell: nothing listens at the localhost of coredns-1 and coredns-2: dead,"
    )
    assert half.unknown[0].startswith("nothing listens at the localhost of coredns-2: dead, or listening at the pod's")


def test_port_forward_refused_names_the_rule(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        cluster.api.refuse("*", "pods/portforward")
        with pytest.raises(AskFailed, match=r"resources: \[pods/portforward\], verbs: \[get, create\]"):
            look_at(cluster, tmp_path, vantage=4)


def hidden(cluster: DnsCluster) -> None:
    """No address is reached from here; behind port-forward and in the helper pod the pods are well."""
    for server in cluster.servers.values():
        server.udp = server.tcp = dns_server.silent


def test_a_helper_pod_is_chosen_where_nothing_is_reached_and_pods_may_be_made(tmp_path: Path) -> None:
    with dns_cluster() as cluster, kubelet(cluster):
        hidden(cluster)
        cluster.rights |= RIGHTS | FORWARD
        look = look_at(cluster, tmp_path, helper=WISH, target=KNOWN, timeout=0.3)
    assert look.vantage == 3
    assert "not 1: no address inside the cluster answers from here; not 2: no NodePort" in look.why


def test_port_forward_is_chosen_where_nothing_else_is_permitted(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        hidden(cluster)
        cluster.rights |= FORWARD
        look = look_at(cluster, tmp_path, helper=WISH, target=KNOWN, timeout=0.3)
    assert look.vantage == 4
    assert "not 3: no right; a Role in namespace doctors" in look.why


def test_where_nothing_can_be_taken_every_reason_is_said(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        hidden(cluster)
        with pytest.raises(AskFailed, match=r"1: no address.*2: no NodePort.*3: no right.*4: no right"):
            look_at(cluster, tmp_path, helper=WISH, target=KNOWN, timeout=0.3)

"""Values: what is refused, that everything is described, and that what is made from the chart is up to date."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import msgspec
import pytest
import yaml

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.collector.options import CollectorOptions
from tests.deploy.pod_security import violations
from tests.deploy.rendering import CHART, ROOT, helm, helms, newest, refusal

SCHEMA = json.loads((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("agnet.port=7473", "agnet"),
        ("agent.prot=7473", "prot"),
        ("agent.port=web", "port"),
        ("agent.port=80", "port"),
        ("agent.port=70000", "port"),
        ("hostNetwork.enabled=yes", "enabled"),
        ("service.ipFamilyPolicy=Dual", "ipFamilyPolicy"),
        ("image.digest=sha256:12", "digest"),
        ("serviceMonitor.interval=often", "interval"),
        ("kubenurse.enabled=maybe", "enabled"),
        ("neighbour_limt=3", "neighbour_limt"),
        ("neighbour_limit=few", "neighbour_limit"),
        ("check_interval=5", "check_interval"),
        ("check_me_ingress=no", "check_me_ingress"),
        ("daemonset.image.name=x", "name"),
        ("daemonset.rollingUpdate.maxUnavailable=150%", "maxUnavailable"),
        ("extra_checks=https", "extra_checks"),
        ("nameOverride=Kubesonar!", "nameOverride"),
        ("config.membre.zone=a", "membre"),
        ("config.udp.prots=3", "prots"),
        ("config.plan.udp.perod=5s", "perod"),
        ("config.log.level=loud", "level"),
        ("config.plan.udp.period=often", "period"),
        ("config.schedule.members=few", "members"),
        ("config.targets[0].name=web", "kind"),
        ("config.targets[0].nmae=web", "nmae"),
        ("hostNetwork.config.udp.prots=3", "prots"),
        ("collector.config.notfy.receivers=x", "notfy"),
        ("collector.config.store.kind=postgres", "kind"),
        ("collector.config.store.etcd.endpoint=x", "endpoint"),
        ("collector.config.agents.rate=0", "rate"),
        ("collector.config.store.retention=long", "retention"),
        ("collector.config.notify.receivers[0].url=x", "name"),
    ],
)
def test_helm_refuses_what_is_unknown_or_cannot_be(given: str, names: str) -> None:
    for program in helms() or [newest()]:
        assert names in refusal("--set", given, program=program)


@pytest.mark.parametrize(
    "given",
    [
        "config.plan.udp.period=5s",
        "config.plan.udp.period=1m30s",
        "config.plan.udp.period=5",
        "config.log.level=debug",
        "config.schedule.members=5",
        "config.plan.families={4}",
        "config.cluster.dns=null",
        "hostNetwork.config.plan.mtu.period=0",
        "collector.config.store.retention=12h",
        "collector.config.store=null",
        "collector.config.listen[0].address=:7475",
    ],
)
def test_helm_takes_what_an_agent_and_a_collector_take(given: str) -> None:
    for program in helms() or [newest()]:
        assert helm(program, "template", "ks", str(CHART), "--set", given).stderr == ""


def test_the_schema_of_the_configuration_is_that_of_the_code() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "values_schema.py"))["text"]()
    assert made == (CHART / "values.schema.json").read_text(), "run scripts/render"


@pytest.mark.parametrize(("options", "name"), [(AgentOptions, "config"), (CollectorOptions, "collector_config")])
def test_every_default_passes_the_schema(options: type[msgspec.Struct], name: str) -> None:
    defaults = json.loads(msgspec.json.encode(options()))
    jsonschema.validate(defaults, {**SCHEMA, **SCHEMA["definitions"][name]})


def test_the_chart_takes_its_own_defaults() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(yaml.safe_load((CHART / "values.yaml").read_text()), SCHEMA)


def described(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, bool]]:
    for key, below in schema.get("properties", {}).items():
        yield f"{path}.{key}", bool(below.get("description"))
        yield from described(below, f"{path}.{key}")


def test_every_value_is_described() -> None:
    free = ("daemonset.image.", "imagePullSecrets.")
    assert [path for path, said in described(SCHEMA) if not said and not path.lstrip(".").startswith(free)] == []


OLD = """
daemonset.image.repository daemonset.image.tag daemonset.extraEnvs daemonset.podLabels daemonset.podAnnotations
daemonset.podSecurityContext daemonset.containerSecurityContext daemonset.containerResources
daemonset.containerImagePullPolicy daemonset.tolerations daemonset.dnsConfig daemonset.volumeMounts daemonset.volumes
daemonset.priorityClassName daemonset.rollingUpdate.maxUnavailable daemonset.rollingUpdate.maxSurge
serviceMonitor.enabled serviceMonitor.labels serviceMonitor.relabelings insecure service_url kubernetes_service_dns
allow_unschedulable neighbour_filter neighbour_limit histogram_buckets expose_metadata victoriametrics_histogram
extra_ca extra_checks check_api_server_direct check_api_server_dns check_me_ingress check_me_service
check_neighbourhood check_interval reuse_connections shutdown_duration use_tls cert_file cert_key nameOverride
fullnameOverride serviceAccount.create serviceAccount.name serviceAccount.imagePullSecrets service.name service.port
service.labels ingress.enabled ingress.className ingress.annotations ingress.tlsSecretName ingress.url extraObjects
"""


def test_every_value_of_the_older_chart_is_known() -> None:
    known = {path.lstrip(".") for path, _ in described(SCHEMA)}
    assert [path for path in OLD.split() if path not in known] == []


def test_the_page_of_values_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "values_table.py"))["page"]()
    assert (ROOT / "docs" / "values.md").read_text() == made, "run scripts/render"


@pytest.mark.parametrize(("name", "flags"), [("kubesonar", ()), ("kubenurse", ("--set", "kubenurse.enabled=true"))])
def test_plain_manifests_are_up_to_date(name: str, flags: tuple[str, ...]) -> None:
    done = helm(newest(), "template", name, str(CHART), "-n", name, *flags)
    made = [tree for tree in yaml.load_all(done.stdout, yaml.CSafeLoader) if tree]
    text = (ROOT / "deploy" / f"{name}.yaml").read_text()
    namespace, *there = list(yaml.load_all(text, yaml.CSafeLoader))
    assert there == made, "run scripts/render"
    assert namespace["metadata"] == {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    for tree in there:
        kubernetes_validate.validate(tree, "1.36", strict=True)
        if tree["kind"] in ("DaemonSet", "Job"):
            assert violations(tree["spec"]["template"]["spec"]) == []


def test_values_in_the_page_on_installing_exist() -> None:
    known = {path.lstrip(".") for path, _ in described(SCHEMA)}
    said = set(re.findall(r"`([a-z][A-Za-z]+(?:\.[A-Za-z]+)+)(?::[^`]*)?`", (ROOT / "docs" / "install.md").read_text()))
    assert {value for value in said if value.partition(".")[0] in SCHEMA["properties"]} <= known | {
        value for value in said if value.startswith(("config.", "collector.config."))
    }

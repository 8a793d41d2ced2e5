"""The collector of the chart: both programs take what the chart tells them, and fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.collector.options import CollectorOptions, StoreKind
from kubesonar.config import resolve
from kubesonar.reports.options import ReportAuthority
from kubesonar.stores.custom_kind import RECORDS
from tests.deploy.rendering import Tree, container, one, refusal, render
from tests.deploy.rights import rights

ON = ("--set", "collector.enabled=true,collector.createCertificate=false")
TLS = ("--set", "collector.enabled=true,collector.tlsSecretName=certificate,hostNetwork.enabled=true")
MADE = ("--set", "collector.enabled=true,hostNetwork.enabled=true")
NAME = "ks-kubesonar-collector"


def read(folder: Path, text: str, schema: type[Any]) -> Any:
    file = folder / "config.yaml"
    file.write_text(text)
    return resolve(schema, ["--config", str(file)], {}).tree


def collector(folder: Path, *flags: str) -> CollectorOptions:
    found: CollectorOptions = read(
        folder, one(render(*flags), "ConfigMap", NAME)["data"]["collector.yaml"], CollectorOptions
    )
    return found


def agent(folder: Path, *flags: str, file: str = "pod.yaml") -> AgentOptions:
    found: AgentOptions = read(
        folder, one(render(*flags), "ConfigMap", "ks-kubesonar-config")["data"][file], AgentOptions
    )
    return found


def volume(tree: Tree, name: str) -> Tree:
    (found,) = (one for one in tree["spec"]["template"]["spec"]["volumes"] if one["name"] == name)
    return dict(found)


def test_without_one_nothing_is_made_and_nobody_reports(tmp_path: Path) -> None:
    assert not [tree for tree in render() if "collector" in tree["metadata"]["name"]]
    assert agent(tmp_path).reports.to == ()


def test_it_watches_the_cluster_for_all_agents_which_then_have_no_right_to(tmp_path: Path) -> None:
    trees = render(*ON)
    assert rights(trees, "ks-kubesonar") == set()
    assert ("mon", "pods", "*", "list watch") in rights(trees, NAME)
    assert (agent(tmp_path, *ON).roster.source, collector(tmp_path, *ON).roster.source) == ("collector", "kubernetes")
    assert agent(tmp_path, *ON).roster.directory == "/var/lib/kubesonar"
    assert volume(one(trees, "DaemonSet"), "roster")["emptyDir"]
    apart = (*ON, "--set", "config.roster.source=kubernetes")
    assert rights(render(*apart), "ks-kubesonar") == rights(render(), "ks-kubesonar")
    assert collector(tmp_path, *apart).roster.source == "none"


def test_it_takes_the_reports_of_the_chart_s_agents_and_nobody_else_s(tmp_path: Path) -> None:
    taken = collector(tmp_path, *ON).reports
    assert taken.auth is ReportAuthority.TOKEN
    assert taken.account == f"mon/{one(render(*ON), 'ServiceAccount', 'ks-kubesonar')['metadata']['name']}"
    for name in ("ks-kubesonar", "ks-kubesonar-host"):
        pods = one(render(*TLS), "DaemonSet", name)
        (source,) = volume(pods, "report-token")["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == taken.audience
        mounts = {mount["name"]: mount["mountPath"] for mount in container(pods)["volumeMounts"]}
        file = "host.yaml" if name.endswith("host") else "pod.yaml"
        reports = agent(tmp_path, *TLS, file=file).reports
        assert reports.token_file == f"{mounts['report-token']}/{source['serviceAccountToken']['path']}"
        assert reports.ca_file == f"{mounts['collector-ca']}/ca.crt"
        assert pods["spec"]["template"]["spec"]["serviceAccountName"] == "ks-kubesonar"


@pytest.mark.parametrize(("flags", "scheme"), [(ON, "http"), (TLS, "https"), (MADE, "https")])
@pytest.mark.parametrize(("more", "name"), [((), f"{NAME}-replicas"), (("--set", "collector.replicas=1"), NAME)])
def test_agents_report_to_each_replica(
    tmp_path: Path, flags: tuple[str, ...], scheme: str, more: tuple[str, ...], name: str
) -> None:
    flags = (*flags, *more)
    service = one(render(*flags), "Service", name)
    assert (service["spec"].get("clusterIP") == "None") is (name != NAME)
    (port,) = service["spec"]["ports"]
    assert agent(tmp_path, *flags).reports.to == (f"{scheme}://{name}.mon.svc.cluster.local:{port['port']}",)
    (listen,) = collector(tmp_path, *flags).listen
    assert listen.address == f":{port['port']}"
    assert bool(listen.certificate_file) is (scheme == "https")
    probe = container(one(render(*flags), "Deployment", NAME))["readinessProbe"]["httpGet"]
    assert probe["scheme"] == scheme.upper()


def granted(*flags: str) -> set[tuple[str, str, str]]:
    """What its account may do: kind of role, verb, resource."""
    return {
        (tree["kind"], verb, resource)
        for tree in render(*ON, *flags)
        if tree["kind"] in ("Role", "ClusterRole") and "collector" in tree["metadata"]["name"]
        for rule in tree["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


def test_it_may_read_pods_of_its_namespace_and_what_is_chosen_needs_and_nothing_else() -> None:
    pods = ("Role", "get", "pods")
    lease = {("Role", verb, "leases") for verb in ("create", "get", "patch")}
    assert granted("--set", "collector.replicas=1") == {pods}
    assert granted() == {pods, *lease}
    reviews = ("ClusterRole", "create", "tokenreviews")
    assert granted("--set", "collector.config.reports.auth=review") == {pods, reviews, *lease}
    verbs = ("get", "list", "create", "update", "delete")
    records = {("Role", verb, "records") for verb in verbs}
    assert granted("--set", "collector.config.store.kind=kubernetes") == {pods, *records}


def test_two_by_default_on_two_nodes_agree_by_a_lease_and_are_not_evicted_together(tmp_path: Path) -> None:
    deployment = one(render(*ON), "Deployment", NAME)
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = deployment["spec"]["template"]["spec"]
    spread = {rule["topologyKey"]: rule["whenUnsatisfiable"] for rule in pod["topologySpreadConstraints"]}
    assert spread == {"kubernetes.io/hostname": "DoNotSchedule", "topology.kubernetes.io/zone": "ScheduleAnyway"}
    seconds = {one["key"].rpartition("/")[2]: one["tolerationSeconds"] for one in pod["tolerations"]}
    assert seconds == {"not-ready": 30, "unreachable": 30}
    budget = one(render(*ON), "PodDisruptionBudget", NAME)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (budget["spec"]["selector"], *(rule["labelSelector"] for rule in pod["topologySpreadConstraints"])):
        assert selector["matchLabels"].items() <= labels.items()
    assert budget["spec"]["maxUnavailable"] == 1
    options = collector(tmp_path, *ON).replicas
    assert options.peers == agent(tmp_path, *ON).reports.to
    assert options.token_file == "/etc/kubesonar/keys/token"
    rules = one(render(*ON), "Role", NAME)["rules"]
    assert [rule["resourceNames"] for rule in rules if "leases" in rule["resources"] and "patch" in rule["verbs"]] == [
        [options.lease]
    ]


@pytest.mark.parametrize("kind", ["etcd", "kubernetes"])
def test_with_a_shared_store_no_lease_is_needed(tmp_path: Path, kind: str) -> None:
    flags = (*ON, "--set", f"collector.config.store.kind={kind},collector.config.store.etcd.endpoints={{http://e:1}}")
    options = collector(tmp_path, *flags).replicas
    assert (bool(options.peers), options.lease) == (True, "")
    assert not any(resource == "leases" for _, _, resource in granted(*flags[2:]))


@pytest.mark.parametrize("more", ["collector.replicas=1", "collector.existingClaim=incidents"])
def test_one_alone_leads_without_others(tmp_path: Path, more: str) -> None:
    flags = (*ON, "--set", more)
    assert collector(tmp_path, *flags).replicas.peers == ()
    deployment = one(render(*flags), "Deployment", NAME)
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert not [tree for tree in render(*flags) if tree["kind"] == "PodDisruptionBudget"]


def test_replicas_need_the_token_by_which_they_know_each_other() -> None:
    assert "collector.replicas: replicas know each other by the token" in refusal(*ON, "--set", "keys.create=false")


def test_its_certificate_is_made_once_by_a_job_for_the_names_that_it_is_reached_by(tmp_path: Path) -> None:
    job = one(render(*MADE), "Job", f"{NAME}-tls")
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[:4] == ["keys", "certificate", "--secret", f"{NAME}-tls"]
    hosts = {arguments[index + 1] for index, word in enumerate(arguments) if word == "--host"}
    assert hosts == {f"{NAME}.mon.svc.cluster.local", f"{NAME}-replicas.mon.svc.cluster.local"}
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert urlsplit(agent(tmp_path, *MADE).reports.to[0]).hostname in hosts
    for tree in (one(render(*MADE), "Deployment", NAME), one(render(*MADE), "DaemonSet", "ks-kubesonar")):
        (secret,) = (
            one["secret"]
            for one in tree["spec"]["template"]["spec"]["volumes"]
            if one.get("secret", {}).get("secretName") == f"{NAME}-tls"
        )
        assert "ca.key" not in {item["key"] for item in secret["items"]}
    rules = one(render(*MADE), "Role", f"{NAME}-tls")["rules"]
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in rules] == [
        (["create"], None),
        (["get", "patch"], [f"{NAME}-tls"]),
    ]
    assert not [tree for tree in (*render(*TLS), *render(*ON)) if tree["metadata"]["name"].endswith("-tls")]


def test_the_kind_of_its_custom_resources_is_defined_by_the_chart_as_the_store_would() -> None:
    made = one(render(*ON, "--set", "collector.config.store.kind=kubernetes"), "CustomResourceDefinition")
    wanted = RECORDS.definition()
    assert made["metadata"]["name"] == wanted["metadata"]["name"]
    assert {key: made[key] for key in ("apiVersion", "kind", "spec")} == {
        key: wanted[key] for key in ("apiVersion", "kind", "spec")
    }
    assert made["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert not [tree for tree in render(*ON) if tree["kind"] == "CustomResourceDefinition"]


def test_etcd_is_reached_with_what_a_secret_holds(tmp_path: Path) -> None:
    at = "/etc/kubesonar/store"
    reached = f"endpoints={{https://etcd-0:2379,https://etcd-1:2379}},collector.config.store.etcd.ca_file={at}/ca.crt"
    flags = (
        *ON,
        "--set",
        f"collector.storeSecretName=etcd,collector.config.store.kind=etcd,collector.config.store.etcd.{reached}",
    )
    store = collector(tmp_path, *flags).store
    assert (store.kind, len(store.etcd.endpoints), store.etcd.ca_file) == (StoreKind.ETCD, 2, f"{at}/ca.crt")
    deployment = one(render(*flags), "Deployment", NAME)
    assert volume(deployment, "store-secret")["secret"]["secretName"] == "etcd"
    mounts = {mount["name"]: mount["mountPath"] for mount in container(deployment)["volumeMounts"]}
    assert mounts["store-secret"] == at
    assert "store" not in mounts
    assert "collector.existingClaim: a claim is for" in refusal(*flags, "--set", "collector.existingClaim=incidents")


@pytest.mark.parametrize("flags", [ON, TLS])
def test_commands_for_people_in_its_pod_find_it_without_dns(flags: tuple[str, ...]) -> None:
    deployment = one(render(*flags), "Deployment", NAME)
    variables = {variable["name"]: variable["value"] for variable in container(deployment)["env"]}
    url = urlsplit(variables["KUBESONAR_COLLECTOR"])
    (port,) = container(deployment)["ports"]
    assert url.port == port["containerPort"]
    assert variables["KUBESONAR_TOKEN_FILE"] == "/etc/kubesonar/keys/token"
    names = [entry["hostnames"] for entry in deployment["spec"]["template"]["spec"].get("hostAliases", [])]
    if flags is TLS:
        assert (url.scheme, names) == ("https", [[f"{NAME}.mon.svc.cluster.local"]])
        assert url.hostname == names[0][0]
        mounts = {mount["name"]: mount["mountPath"] for mount in container(deployment)["volumeMounts"]}
        assert variables["KUBESONAR_CA_FILE"] == f"{mounts['tls']}/ca.crt"
    else:
        assert (url.scheme, url.hostname, names) == ("http", "127.0.0.1", [])


@pytest.mark.parametrize(
    ("flags", "image"),
    [
        ("image.tag=1.2", "kubesonar/kubesonar-collector:1.2"),
        ("image.repository=r.example.org/ks,image.tag=1.2", "r.example.org/ks-collector:1.2"),
        ("collector.image.repository=c,collector.image.tag=3", "c:3"),
        (f"collector.image.digest=sha256:{64 * 'a'}", f"kubesonar/kubesonar-collector@sha256:{64 * 'a'}"),
    ],
)
def test_its_image_stands_beside_the_agents(flags: str, image: str) -> None:
    assert container(one(render(*ON, "--set", flags), "Deployment", NAME))["image"] == image


def test_reading_needs_the_token_of_the_keys(tmp_path: Path) -> None:
    assert collector(tmp_path, *ON).api.token_file == "/etc/kubesonar/keys/token"
    assert volume(one(render(*ON), "Deployment", NAME), "token")["secret"]["secretName"] == "ks-kubesonar-keys"
    said = refusal("--set", "collector.enabled=true,collector.nodePort=31080,keys.create=false")
    assert "collector.nodePort: what the collector knows is read with a token" in said


def test_its_own_configuration_goes_before_the_chart_s(tmp_path: Path) -> None:
    options = collector(tmp_path, *ON, "--set", "collector.config.agents.interval=5s")
    assert options.agents.interval == 5.0
    assert options.store.directory == "/var/lib/kubesonar"


def test_a_changed_configuration_makes_a_new_pod() -> None:
    def note(*flags: str) -> str:
        meta: Tree = one(render(*ON, *flags), "Deployment", NAME)["spec"]["template"]["metadata"]
        return str(meta["annotations"]["kubesonar.io/config"])

    assert note() != note("--set", "collector.config.agents.interval=5s")


def test_its_incidents_are_on_a_claim_where_one_is_named() -> None:
    assert "emptyDir" in volume(one(render(*ON), "Deployment", NAME), "store")
    claimed = one(render(*ON, "--set", "collector.existingClaim=incidents"), "Deployment", NAME)
    assert volume(claimed, "store")["persistentVolumeClaim"] == {"claimName": "incidents"}
    assert yaml.safe_dump(claimed).count("fsGroup") == 1


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_what_it_says_of_the_cluster_is_scraped_with_the_token_that_reading_needs(monitor: str) -> None:
    found = one(render(*TLS, "--set", f"{monitor}.enabled=true"), "PodMonitor", NAME)
    (endpoint,) = found["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["scheme"]) == ("collector", "https")
    assert endpoint["tlsConfig"]["ca"] == {"secret": {"name": "certificate", "key": "ca.crt"}}
    assert endpoint["authorization"]["credentials"]["key"] == "token"
    (plain,) = one(render(*ON, "--set", f"{monitor}.enabled=true"), "PodMonitor", NAME)["spec"]["podMetricsEndpoints"]
    assert {"scheme", "tlsConfig"} & plain.keys() == set()

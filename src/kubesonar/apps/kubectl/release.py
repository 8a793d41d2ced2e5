"""Finds an installation in a cluster by its pods' labels: its collector, its agents, and the Secret of its token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

import msgspec

from kubesonar.apps.keys.secret import TOKEN, Secret
from kubesonar.config import ConfigError
from kubesonar.core.address import read_port
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import Object, ObjectName, ObjectPart, ObjectWord
from kubesonar.kube.resource import Resource, pods
from kubesonar.kube.streaming.forwarder import PodPort

PART_OF = "app.kubernetes.io/part-of"
_INSTANCE, _NETWORK, _PORT = "app.kubernetes.io/instance", "kubesonar.io/network", "kubesonar.io/port"
_COLLECTOR, _COORDINATOR = "collector", "coordinator"

AGENTS_REACHED = 100
"""Most agents that are reached by port-forward, each with a connection through the API server at every look. More are
for a collector, which is asked alone."""


class _NamedPort(ObjectPart, frozen=True):
    name: ObjectWord = ""
    container_port: int = 0


class _HttpGet(ObjectPart, frozen=True):
    scheme: ObjectWord = ""


class _Probe(ObjectPart, frozen=True):
    http_get: _HttpGet | None = None


class _Container(ObjectPart, frozen=True):
    image: ObjectWord = ""
    ports: tuple[_NamedPort, ...] = ()
    liveness_probe: _Probe | None = None


class _Item(ObjectPart, frozen=True):
    key: ObjectWord = ""


class _SecretVolume(ObjectPart, frozen=True):
    secret_name: ObjectName = ""
    items: tuple[_Item, ...] = ()


class _Volume(ObjectPart, frozen=True):
    secret: _SecretVolume | None = None


class _Spec(ObjectPart, frozen=True):
    containers: tuple[_Container, ...] = ()
    volumes: tuple[_Volume, ...] = ()
    node_name: ObjectName = ""


class _Condition(ObjectPart, frozen=True):
    type: ObjectWord = ""
    status: ObjectWord = ""


class _Status(ObjectPart, frozen=True):
    phase: ObjectWord = ""
    conditions: tuple[_Condition, ...] = ()


class ReleasePod(Object, frozen=True):
    """A pod of an installation, with what tells how its API is reached."""

    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def ready(self) -> bool:
        """Whether Kubernetes calls it ready."""
        return any(each.type == "Ready" and each.status == "True" for each in self.status.conditions)

    @property
    def token_secret(self) -> str:
        """The name of the Secret whose token its API asks for, empty where it asks for none."""
        secrets = (volume.secret for volume in self.spec.volumes if volume.secret is not None)
        return next((secret.secret_name for secret in secrets if TOKEN in {item.key for item in secret.items}), "")

    @property
    def collector_port(self) -> PodPort | None:
        """The port of a collector; None for another pod."""
        return self._port_named(_COLLECTOR)

    @property
    def coordinator_port(self) -> PodPort | None:
        """The port at which this agent answers as a collector does while it coordinates; None where it would not."""
        return self._port_named(_COORDINATOR)

    def _port_named(self, name: str) -> PodPort | None:
        for container in self.spec.containers:
            for port in container.ports:
                if port.name == name:
                    probe = container.liveness_probe.http_get if container.liveness_probe else None
                    secure = probe is not None and probe.scheme == "HTTPS"
                    return PodPort(self.metadata.namespace, self.metadata.name, port.container_port, secure)
        return None

    @property
    def agent_port(self) -> PodPort | None:
        """The port of an agent; None for another pod."""
        port = read_port(self.metadata.labels.get(_PORT, ""))
        if _NETWORK not in self.metadata.labels or not port:
            return None
        return PodPort(self.metadata.namespace, self.metadata.name, port)


class Release(msgspec.Struct, frozen=True):
    """One installation: its namespace and name, its collectors (the best one first) and its agents, those that run."""

    namespace: str
    name: str
    collectors: tuple[ReleasePod, ...]
    agents: tuple[ReleasePod, ...]

    def asked(self, everybody: bool = False) -> tuple[ReleasePod, ...]:
        """Return the pods whose API is asked: one collector, else the agents; with `everybody` both, as far as
        `AGENTS_REACHED` permits. Raises ConfigError where there are more agents and no collector."""
        if self.collectors:
            return self.collectors[:1] + (self.agents[:AGENTS_REACHED] if everybody else ())
        if len(self.agents) > AGENTS_REACHED:
            raise ConfigError(
                f"release {self.name} has {len(self.agents)} agents and no collector, and at most {AGENTS_REACHED} are "
                "reached by port-forward: set collector.enabled=true (docs/collector.md)"
            )
        return self.agents


async def find_release(client: Client, namespace: str = "", name: str = "") -> Release:
    """Return the installation in `namespace`, of that `name`; empty words fit all. Where several fit, the one in the
    namespace of the kubeconfig's context is meant. Raises ConfigError where there is none, or no telling which."""
    found = _grouped(await _listed(client, namespace))
    fitting = [release for release in found if name in ("", release.name)]
    home = [release for release in fitting if release.namespace == client.credentials.namespace]
    chosen = home if len(home) == 1 else fitting
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = ", ".join(f"{release.namespace}/{release.name}" for release in chosen[:8])
        raise ConfigError(f"several installations fit, {names}: choose one with -n NAMESPACE or --release NAME")
    where = f"in namespace {namespace}" if namespace else "in this cluster"
    raise ConfigError(
        f"no pod of kubesonar runs {where} (label {PART_OF}=kubesonar): install the chart, or look once without: "
        "kubectl sonar try"
    )


async def read_token(client: Client, asked: Iterable[ReleasePod]) -> str:
    """Return the token that these pods' APIs ask for, empty where they ask for none. Raises ConfigError where it may
    not be read."""
    wanted = sorted({(pod.metadata.namespace, pod.token_secret) for pod in asked if pod.token_secret})
    for namespace, name in wanted[:1]:
        try:
            secret = await client.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", Secret)
            return base64.b64decode(secret.data.get(TOKEN, ""), validate=True).decode("ascii").strip()
        except ApiError as error:
            missing = (
                f'it needs the right to get secrets "{name}" in namespace {namespace}' if error.status == 403 else ""
            )
            why = missing or str(error)
            raise ConfigError(f"the token cannot be read: {why}; or give it with --token-file FILE") from None
        except (binascii.Error, UnicodeDecodeError):
            raise ConfigError(f"the token cannot be read: Secret {namespace}/{name} does not hold one") from None
    return ""


async def _listed(client: Client, namespace: str) -> Sequence[ReleasePod]:
    """List the pods of all installations. A user who may not look everywhere looks in the namespace of the context."""
    try:
        return await _pods(client, namespace)
    except ApiError as error:
        if error.status != 403 or namespace:
            raise _unlisted(error, namespace) from None
    try:
        return await _pods(client, client.credentials.namespace)
    except ApiError as error:
        raise _unlisted(error, client.credentials.namespace) from None


async def _pods(client: Client, namespace: str) -> Sequence[ReleasePod]:
    return (await client.list(Resource(pods(namespace), ReleasePod, f"{PART_OF}=kubesonar"))).items


def _unlisted(error: ApiError, namespace: str) -> ConfigError:
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    if error.status == 403:
        return ConfigError(f"the pods of kubesonar cannot be found: this user needs the right to list pods {where}")
    return ConfigError(f"the API server does not tell which pods run {where}: {error}")


def _grouped(found: Sequence[ReleasePod]) -> list[Release]:
    running = [pod for pod in found if pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None]
    groups: dict[tuple[str, str], list[ReleasePod]] = {}
    for pod in running:
        groups.setdefault((pod.metadata.namespace, pod.metadata.labels.get(_INSTANCE, "")), []).append(pod)
    return [_release(*key, members) for key, members in sorted(groups.items()) if _answers(members)]


def _answers(members: Iterable[ReleasePod]) -> bool:
    return any(pod.collector_port or pod.agent_port for pod in members)


def _release(namespace: str, name: str, members: Sequence[ReleasePod]) -> Release:
    collectors = sorted((pod for pod in members if pod.collector_port), key=lambda pod: not pod.ready)
    agents = sorted((pod for pod in members if pod.agent_port), key=lambda pod: pod.metadata.name)
    return Release(namespace, name, tuple(collectors), tuple(agents))

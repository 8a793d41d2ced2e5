"""Kubernetes objects with the fields that decide on a restart."""

from __future__ import annotations

import msgspec

from kubesonar.kube.object_meta import Meta, Object, ObjectCondition, ObjectName, ObjectPart, ObjectWord
from kubesonar.kube.types import PodSpec, PodStatus


class IdentifiedMeta(Meta, frozen=True):
    """ObjectMeta with the uid, and the generation of the desired state."""

    uid: ObjectName = ""
    generation: int = 0


class RestartablePod(Object, frozen=True):
    """v1 Pod with its uid."""

    metadata: IdentifiedMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class UpdateStrategy(ObjectPart, frozen=True):
    """The way in which a DaemonSet is rolled out; OnDelete leaves it to people."""

    type: ObjectWord = ""


class WorkloadPodSpec(ObjectPart, frozen=True):
    """The pods that a workload makes."""

    host_network: bool = False


class WorkloadTemplate(ObjectPart, frozen=True):
    """The template of a workload's pods."""

    spec: WorkloadPodSpec = WorkloadPodSpec()


class WorkloadSpec(ObjectPart, frozen=True):
    """The desired Deployment or DaemonSet; `replicas` is None for a DaemonSet."""

    replicas: int | None = None
    paused: bool = False
    update_strategy: UpdateStrategy = UpdateStrategy()
    template: WorkloadTemplate = WorkloadTemplate()


class WorkloadStatus(ObjectPart, frozen=True):
    """The observed Deployment or DaemonSet: pods of all kinds, and those of the present template."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    conditions: tuple[ObjectCondition, ...] = ()


class Workload(Object, frozen=True):
    """apps/v1 Deployment or DaemonSet."""

    metadata: IdentifiedMeta
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class AnnotatedMeta(ObjectPart, frozen=True):
    """ObjectMeta with all annotations, however long."""

    resource_version: ObjectWord = ""
    annotations: dict[str, str] = msgspec.field(default_factory=dict)

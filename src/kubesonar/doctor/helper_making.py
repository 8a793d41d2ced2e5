"""Makes a helper pod, where that is wanted and permitted, from an image that is given or found."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from kubesonar.doctor.access import require
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.objects import ContainedPod
from kubesonar.doctor.rights import DnsPlace, helper_rules, image_rule
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.resource import Resource, pods

if TYPE_CHECKING:
    from kubesonar.doctor.helper_pod import HelperAsker

_OWN_PODS = "kubesonar.io/port"
"""Label of kubesonar's agents (docs/kubernetes.md), whose image a helper pod can have."""


class HelperWish(msgspec.Struct, frozen=True, kw_only=True):
    """The wishes for a helper pod. `namespace` is the doctor's own (empty: that of the credentials), `image` one with
    kubesonar or dig (empty: that of kubesonar's pods there), `keep` leaves the pod for the next look, and none is made
    unless that is `permitted`."""

    namespace: str = ""
    image: str = ""
    keep: bool = False
    permitted: bool = True


async def make_helper(client: Client, wish: HelperWish, dns_namespace: str, rng: random.Random) -> HelperAsker:
    """Return a helper pod that runs. Raises AskFailed where it cannot be made, with the rules that would grant it."""
    from kubesonar.doctor.helper_pod import HelperAsker, HelperOptions  # a doctor in the cluster has no WebSockets

    place = DnsPlace(dns=dns_namespace, own=wish.namespace or client.credentials.namespace)
    if place.own == dns_namespace:
        raise AskFailed(f"no helper pod is made in the namespace of DNS, {place.own}: name another (--namespace)")
    await require(client, helper_rules(place))
    image = wish.image or await _own_image(client, place)
    helper = HelperAsker(client, HelperOptions(namespace=place.own, image=image, keep=wish.keep), rng)
    try:
        await helper.start()
    except BaseException:
        await helper.close()
        raise
    return helper


async def _own_image(client: Client, place: DnsPlace) -> str:
    """Return the image of a pod of kubesonar in the doctor's namespace."""
    what = Resource(pods(place.own), ContainedPod, labels=_OWN_PODS)
    try:
        listing = await client.list(what)
    except ApiError as error:
        granting = f"; {image_rule(place).line} would grant it" if error.status == 403 else ""
        raise AskFailed(
            f"no image for a helper pod (--image), and kubesonar's is not found: {error}{granting}"
        ) from None
    images = [container.image for pod in listing.items for container in pod.spec.containers[:1] if container.image]
    if not images:
        raise AskFailed(f"no image for a helper pod (--image), and no pod of kubesonar in namespace {place.own}")
    return images[0]

"""An API server for tests: real HTTPS, real resourceVersions, real watches, on a thread of its own.

    with ApiServer() as api:
        api.put("pods", shapes.pod("a", node="node-1", ips=("10.0.1.2", "fd00::2")))   # creates, later replaces
        api.delete("pods", "a")
        api.populate(nodes=3000)                        # so many nodes, each with a pod of the agent
        client = Client(from_kubeconfig(api.kubeconfig(tmp_path / "config")))
        environ = api.in_cluster(tmp_path)              # writes token, ca.crt and namespace; what the kubelet would set
        client = Client(in_cluster(environ, str(tmp_path)))

It serves pods, nodes, services, endpoints, endpointslices, leases, namespaces, events, configmaps, secrets, daemonsets,
deployments, customresourcedefinitions and two custom resources (records, agents):
get, list (limit and continue, label and field selectors), watch (bookmarks, timeoutSeconds), create, update (409 on a
stale resourceVersion), patch (merge), delete; /version, /healthz, /livez, /readyz without a token. What to break:

    api.refuse("watch", "nodes") / api.allow(…)         403; "*" for every verb
    api.fail(429, times=2, retry_after=1, verb="list")  the next requests that fit
    api.tear()                                          cuts every open watch;  api.expire() ends them with 410
    api.forget()                                        compacts: older versions and pages are 410 from now on
    api.rotate_token("new") / api.rotate_authority()    writes it where in_cluster put the old one; the old one is 401
    api.expire_certificate() / api.renew_certificate()  for new connections
    api.switches.slow = 0.5                             seconds before each answer
    api.freeze() / api.thaw()                           holds every answer and every watch, connections stay open
    api.stop() / api.start()                            nobody listens; the same port and the same objects afterwards
    api.switches.documents["/path"] = function          what a path that is none of a resource says to a body
    api.switches.logs["pod"] = "text"                   what a pod has printed
    api.switches.evictions.…                            budgets, and who comes back: see `evicting`
    api.switches.streams.…                              exec and port-forward over WebSocket: see `upgrading`
    api.switches.…                                      see `answering.Switches`

What was asked: `api.asked("list", "pods")`, `api.log`, `api.handshakes`, `api.wait(lambda: …)`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.kube import shapes
from tests.kube.answering import Api, Failure, Switches
from tests.kube.requests import Asked
from tests.kube.serving import Certificates, Serving
from tests.kube.store import Store, Tree

PATIENCE = 10.0
"""Seconds that `wait` waits."""


class ApiServer:
    """See the top of this file. A context manager; or `start` and `stop` it."""

    def __init__(self, address: str = "127.0.0.1", *, token: str = "token-1", window: int = 100_000) -> None:
        self.store = Store(window)
        self.switches = Switches()
        self.switches.tokens.add(token)
        self.token = token
        self.certificates = Certificates()
        self._api = Api(self.store, self.switches)
        self._serving = Serving(self._api, self.certificates, address)
        self._mounts: list[Path] = []
        self.store.wake = self._wake

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listens, at the port it had before, if any."""
        self._serving.start()

    def stop(self) -> None:
        """Cuts every connection and listens no more."""
        self._serving.stop()

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self._serving.address}]" if ":" in self._serving.address else self._serving.address
        return f"https://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._serving.port

    @property
    def log(self) -> list[tuple[Asked, int]]:
        """Every request so far with the status it was answered with (0: not yet)."""
        return list(self._api.log)

    @property
    def handshakes(self) -> int:
        """TLS connections so far."""
        return self._serving.handshakes

    def asked(self, verb: str, resource: str = "") -> list[Asked]:
        """The requests so far of one verb, and of one resource."""
        return [one for one, _ in self.log if one.verb == verb and resource in ("", one.resource)]

    def wait(self, condition: Callable[[], object]) -> None:
        """Until something is so, on a thread that is not the one being tested."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("it did not come to be")
            time.sleep(0.005)

    def put(self, resource: str, tree: Tree) -> Tree:
        """Creates an object, or replaces it."""
        return self.store.put(resource, tree)

    def get(self, resource: str, name: str, namespace: str = "default") -> Tree:
        """An object as it is now."""
        return self.store.get(resource, name, namespace)

    def delete(self, resource: str, name: str, namespace: str = "default") -> None:
        """Deletes an object."""
        self.store.delete(resource, name, namespace)

    def populate(self, nodes: int, *, zones: int = 3, bulk: int = 0, namespace: str = "default") -> None:
        """So many nodes, each with one pod of the agent, dual stack; `bulk` bytes more in each object."""
        for number in range(nodes):
            name = f"node-{number}"
            ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            self.put(
                "nodes", shapes.node(name, zone=f"zone-{number % zones}", ips=(ip.replace("10.", "11.", 1),), bulk=bulk)
            )
            ips = (ip, f"fd00::{number + 1:x}")
            self.put("pods", shapes.pod(f"agent-{number}", node=name, ips=ips, namespace=namespace, bulk=bulk))

    def refuse(self, verb: str, resource: str) -> None:
        """Takes a right away; watches that are open go on, as in a real cluster."""
        self.switches.refused.add((verb, resource))

    def allow(self, verb: str, resource: str) -> None:
        """Gives it back."""
        self.switches.refused.discard((verb, resource))

    def fail(
        self, status: int, *, times: int = 1, retry_after: int | None = None, verb: str = "", resource: str = ""
    ) -> None:
        """The next `times` requests that fit are answered with this."""
        self.switches.failures.append(Failure(status, times, retry_after, verb, resource))

    def tear(self) -> None:
        """Cuts every watch that is open."""
        self.switches.tears += 1
        self._wake()

    def expire(self) -> None:
        """Ends every watch that is open with an ERROR event of 410."""
        self.switches.expiries += 1
        self._wake()

    def forget(self) -> None:
        """Compacts the history, the pages of lists too."""
        self.store.forget()
        self._serving.call(self._api.forget_continued)

    def freeze(self) -> None:
        """Says nothing any more, to nobody."""
        self.switches.frozen = True

    def thaw(self) -> None:
        """Speaks again."""
        self.switches.frozen = False
        self._wake()

    def say(self, line: bytes) -> None:
        """Sends a line as it is in the next watch that has something to say."""
        self.switches.raw_events.append(line + b"\n")
        self._wake()

    def rotate_token(self, token: str) -> None:
        """The old token is refused from now on; the new one is in the files."""
        self.switches.tokens, self.token = {token}, token
        self._mount("token", token.encode())

    def expire_certificate(self) -> None:
        """New connections are shown a certificate that has expired."""
        self._serving.call(self.certificates.expire, wait=True)

    def renew_certificate(self) -> None:
        """New connections are shown a good one."""
        self._serving.call(self.certificates.renew, wait=True)

    def rotate_authority(self) -> None:
        """New connections are shown a certificate of a new CA, which is in the files."""
        self._serving.call(self.certificates.rotate, wait=True)
        self._mount("ca.crt", self.certificates.authority)

    def in_cluster(self, directory: Path, namespace: str = "default") -> dict[str, str]:
        """Writes what the kubelet mounts; what it puts into the environment."""
        (directory / "ca.crt").write_bytes(self.certificates.authority)
        (directory / "token").write_text(self.token)
        (directory / "namespace").write_text(namespace)
        self._mounts.append(directory)
        return {"KUBERNETES_SERVICE_HOST": self._serving.address, "KUBERNETES_SERVICE_PORT": str(self.port)}

    def kubeconfig(self, path: Path, *, user: dict[str, Any] | None = None, **cluster: Any) -> str:
        """Writes a kubeconfig with the token, or as another `user`; keys of the cluster by name (None: without)."""
        (path.parent / f"{path.name}.ca").write_bytes(self.certificates.authority)
        where = {"server": self.url, "certificate_authority": f"{path.name}.ca", **cluster}
        tree = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
            "clusters": [
                {
                    "name": "test",
                    "cluster": {key.replace("_", "-"): value for key, value in where.items() if value is not None},
                }
            ],
            "users": [{"name": "test", "user": {"token": self.token} if user is None else user}],
        }
        path.write_text(json.dumps(tree))
        return str(path)

    def _mount(self, name: str, data: bytes) -> None:
        for directory in self._mounts:
            part = directory / f"{name}.part"
            part.write_bytes(data)
            part.replace(directory / name)

    def _wake(self) -> None:
        self._serving.call(self._api.wake)

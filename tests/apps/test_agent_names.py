"""An agent whose machine has a cluster's resolver: every path that needs a name, and what the look-ups cost."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubesonar.lab.syscalls import mount
from kubesonar.model import Health
from tests.apps.agents import RunningAgent, free_port, members, tree, until
from tests.kube.apiserver import ApiServer
from tests.lab.inside import in_namespaces
from tests.probes.dns_servers import wait_for

UNBOUND = shutil.which("unbound", path="/usr/sbin:/usr/bin:/sbin:/bin")
MS_BIND = 0x1000  # include/uapi/linux/mount.h
API = "kubernetes.default.svc.cluster.local."
SHOP = "shop.example.com."
SEARCH = ("default.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", "example.org.")
PATHS = {"api_direct", "api_dns", "dns_service", "service", "ingress"}


@contextmanager
def resolver(folder: Path) -> Iterator[Path]:
    """The machine's name server, at its usual port; gives the file of the questions that it was asked."""
    assert UNBOUND is not None
    log = folder / "questions"
    (folder / "unbound.conf").write_text(
        f"""server:
  interface: 127.0.0.1
  port: 53
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  log-queries: yes
  num-threads: 1
  local-zone: "." static
  local-data: "{API} 5 A 127.0.0.1"
  local-data: "{SHOP} 5 A 127.0.0.1"
remote-control:
  control-enable: no
"""
    )
    (folder / "resolv.conf").write_text(f"search {' '.join(SEARCH)}\nnameserver 127.0.0.1\noptions ndots:5\n")
    mount(str(folder / "resolv.conf"), "/etc/resolv.conf", "none", MS_BIND)
    with log.open("wb") as output:
        server = subprocess.Popen([UNBOUND, "-d", "-c", str(folder / "unbound.conf")], stderr=output, stdout=output)
    try:
        wait_for(53, server, log)
        yield log
    finally:
        server.terminate()
        server.wait()


def asked(log: Path) -> set[tuple[str, str]]:
    """Names and types that were asked for."""
    questions = [line.split()[-3:-1] for line in log.read_text().splitlines() if line.endswith(" IN")]
    return {(name, kind) for name, kind in questions}


def every_path_is_well() -> None:
    with tempfile.TemporaryDirectory() as name, ApiServer() as api, resolver(Path(name)) as log:
        folder, port = Path(name), free_port()
        api.in_cluster(folder)
        health = f":{port}/healthz"
        cluster = {
            "api": {
                "host": "127.0.0.1",
                "port": api.port,
                "trust": str(folder / "ca.crt"),
                "path": "/api/v1/nodes",  # which nobody may read without a token
                "token_file": str(folder / "token"),
                "period": 0.2,
            },
            "dns": {"address": ["127.0.0.1"], "period": 0.2},
            "service": {"url": f"http://127.0.0.1{health}", "period": 0.2},
            "ingress": {"url": f"http://{SHOP[:-1]}{health}", "period": 0.2},
        }
        with RunningAgent(folder, "a", **tree("a", port, members(folder, {"a": port}), cluster=cluster)) as agent:
            until(
                lambda: {e.latest.check.path for e in agent.snapshot().edges if e.latest.health is Health.GOOD} >= PATHS
            )
        of_api = {question for question in asked(log) if question[0].startswith(API)}
        assert of_api == {(API, "A"), (API, "AAAA")}
        of_shop = {question for question in asked(log) if question[0].startswith(SHOP)}
        assert of_shop == {(SHOP + rest, kind) for rest in (*SEARCH, "") for kind in ("A", "AAAA")}


@pytest.mark.skipif(UNBOUND is None, reason="needs the Debian package unbound")
@pytest.mark.lab
def test_every_path_that_needs_a_name_and_what_looking_it_up_asks() -> None:
    in_namespaces(every_path_is_well)

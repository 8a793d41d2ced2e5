from __future__ import annotations

from pathlib import Path

from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import reflecting, run, until


def test_lists_and_watches(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        async with reflecting(api, tmp_path) as pods:
            await until(lambda: pods.synced)
            assert set(pods.items) == {"default/a"}
            api.put("pods", shapes.pod("b", node="node-2", ips=("10.0.2.2", "fd00::2")))
            await until(lambda: "default/b" in pods.items)
            assert [ip.ip for ip in pods.items["default/b"].status.pod_ips] == ["10.0.2.2", "fd00::2"]
            api.delete("pods", "a")
            await until(lambda: "default/a" not in pods.items)
            assert (pods.trouble, pods.forbidden) == ("", "")

    with ApiServer() as api:
        api.put("pods", shapes.pod("a"))
        run(scenario(api))

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from kubesonar.kube.auth.credentials import Access, Credentials
from kubesonar.kube.auth.loading_rules import in_cluster
from tests.kube.apiserver import ApiServer
from tests.kube.auth.mounted import ENVIRON, mounted
from tests.kube.running import client_of, run
from tests.kube.serving import Certificates
from tests.kube.shapes import Version


def _access(credentials: Credentials, again: bool = False) -> Access:
    return asyncio.run(credentials.access(again))


def test_the_kubelet_swaps_the_token_by_a_link(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        mounted(tmp_path / name, name.encode())
    data = tmp_path / "..data"
    data.symlink_to("old")
    credentials = in_cluster(ENVIRON, str(data))
    assert _access(credentials).token == "old"
    (tmp_path / "..data_tmp").symlink_to("new")
    (tmp_path / "..data_tmp").replace(data)
    assert _access(credentials).token == "new"


def test_a_token_written_over_in_place_is_found_when_it_was_refused(tmp_path: Path) -> None:
    credentials = in_cluster(ENVIRON, mounted(tmp_path))
    assert _access(credentials).token == "token-1"
    path = tmp_path / "token"
    before = path.stat()
    path.write_text("token-2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _access(credentials).token == "token-1"
    assert _access(credentials, again=True).token == "token-2"


def test_files_that_vanish_leave_what_was_read_last(tmp_path: Path) -> None:
    credentials = in_cluster(ENVIRON, mounted(tmp_path))
    before = _access(credentials)
    for name in ("token", "ca.crt"):
        (tmp_path / name).unlink()
    assert _access(credentials) == before


def test_the_context_is_shared_until_the_ca_changes(tmp_path: Path) -> None:
    credentials = in_cluster(ENVIRON, mounted(tmp_path))
    first = _access(credentials)
    assert _access(credentials).context is first.context
    mounted(tmp_path, authority=Certificates().authority)
    second = _access(credentials)
    assert second.context is not first.context
    mounted(tmp_path, authority=b"broken")
    assert _access(credentials).context is second.context


def test_a_ca_that_rotates_is_followed(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = client_of(api, tmp_path)
        await client.get("/version", Version)
        api.rotate_authority()
        await client.get("/version", Version)
        client.close()

    with ApiServer() as api:
        run(scenario())
        assert api.handshakes == 2

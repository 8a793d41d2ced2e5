"""The lab's API server, asked over TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

from kubesonar.lab.servers.api_server import api_server
from kubesonar.lab.servers.certificates import make_certificates
from tests.lab.servers.support import HOST, get, run, running


def test_the_api_server_shows_its_certificate_and_its_pages(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, ["kubernetes.default.svc", HOST])
    assert made.key.stat().st_mode & 0o077 == 0
    roster = tmp_path / "members.json"
    roster.write_text('{"version": 1, "members": []}')

    async def work() -> None:
        trust = ssl.create_default_context(cafile=str(made.authority))
        async with running(lambda port, stop: api_server([HOST], port, made, roster, stop)) as port:
            status, body = await get(port, "/version", trust)
            assert (status, b"gitVersion" in body) == (200, True)
            assert await get(port, "/readyz", trust) == (200, b"ok")
            assert await get(port, "/healthz", trust) == (200, b"ok")
            assert (await get(port, "/api/v1/pods", trust))[0] == 200
            assert (await get(port, "/api/v1/secrets", trust))[0] == 404
            assert (await get(port, "/version", trust, "POST"))[0] == 405

    run(work)

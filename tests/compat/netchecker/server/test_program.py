"""The server as a process, and the page about the quirks of both programs."""

from __future__ import annotations

import re
import signal
import urllib.request
from pathlib import Path

from kubesonar.compat.netchecker.agent.settings import AGENT_FLAGS
from kubesonar.compat.netchecker.flags import LOG_FLAGS
from kubesonar.compat.netchecker.server.settings import SERVER_FLAGS
from tests.compat.netchecker.rig import start
from tests.kube.apiserver import ApiServer
from tests.ports import free_port

FOLDER = Path(__file__).parents[1]
ROOT = FOLDER.parents[2]
README = (ROOT / "src/kubesonar/compat/netchecker/README.md").read_text()


def test_every_quirk_has_a_test_and_every_test_a_quirk() -> None:
    listed = re.findall(r"^\| NC-(\d\d) \| (?:kept|mended|switchable) \|", README, re.MULTILINE)
    names = [name for path in FOLDER.rglob("test_*.py") for name in re.findall(r"def test_\w+", path.read_text())]
    tested = {found for name in names for found in re.findall(r"nc(\d\d)_", name)}
    assert listed == [f"{number:02d}" for number in range(1, len(listed) + 1)]
    assert sorted(tested) == listed


def test_every_flag_is_in_the_page() -> None:
    page = (ROOT / "docs/netchecker.md").read_text()
    flags = {flag.name for flag in (*SERVER_FLAGS, *AGENT_FLAGS)} - {flag.name for flag in LOG_FLAGS}
    assert [name for name in sorted(flags) if f"`-{name}`" not in page] == []


def test_nc38_the_server_runs_and_leaves_in_order(tmp_path: Path) -> None:
    with ApiServer() as api:
        port = free_port()
        config = api.kubeconfig(tmp_path / "config")
        process = start("netchecker-server", "-kubeproxyinit", f"-endpoint=127.0.0.1:{port}", KUBECONFIG=config)
        assert process.stderr is not None
        assert any("serving" in line for line in iter(process.stderr.readline, ""))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/ping") as answer:
            assert (answer.status, answer.read()) == (200, b"")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    line = rf"\[negroni\] 20\S+Z \| 200 \| .* [\d.]+ms \| 127\.0\.0\.1:{port} \| GET /api/v1/ping\n"
    assert re.fullmatch(line, said)
    assert process.returncode == 0


def test_nc37_without_an_api_server_it_ends_with_a_sentence() -> None:
    process = start("netchecker-server", "-kubeproxyinit")
    _, error = process.communicate(timeout=30)
    sentence, more = error.splitlines()
    assert process.returncode == 2
    assert "the API server cannot be asked for pods" in sentence
    assert more == "kubesonar netchecker-server --help shows more"

"""Where agents are asked, from what a person wrote."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from kubesonar.apps.client.sources import SnapshotSource, sources_of
from kubesonar.config import ConfigError
from tests.apps.client.processes import process
from tests.apps.listening import answer, answers, on_sockets
from tests.core.mesh import Mesh


def test_without_a_lab_a_sentence_says_what_to_give(tmp_path: Path) -> None:
    with process("check", XDG_RUNTIME_DIR=str(tmp_path)) as running:
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (2, "")
    sentence, more = err.splitlines()
    assert sentence.startswith("kubesonar: no agent was named and no lab runs here: give an agent's address")
    assert more == "kubesonar check --help shows more"


def test_the_lab_that_runs_here_is_found() -> None:
    with tempfile.TemporaryDirectory() as folder:  # `tmp_path` may be too long for Unix sockets in folders in it
        agents = Path(folder) / "kubesonar-lab" / "agents"
        agents.mkdir(parents=True)
        with (
            on_sockets(agents, answers(Mesh(nodes=3))),
            process("check", "--color", "always", XDG_RUNTIME_DIR=folder, LC_ALL="C") as running,
        ):
            out, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (0, "")
    assert out.startswith("\x1b[1;32mthe network is healthy")


def test_sources_are_read_as_people_write_them(tmp_path: Path) -> None:
    assert sources_of(["http://10.0.0.1:7473/", "https://agents.example"]) == [
        SnapshotSource("http://10.0.0.1:7473"),
        SnapshotSource("https://agents.example:443"),
    ]
    assert sources_of(["http://[fd00::1]:80"]) == [SnapshotSource("http://[fd00::1]:80")]
    assert sources_of(["unix:/run/a.sock", "unix:///run/a.sock"]) == [SnapshotSource("unix:/run/a.sock", "a")]
    (tmp_path / "agents").mkdir()
    with on_sockets(tmp_path / "agents", {"n1": answer(b"")}), on_sockets(tmp_path, {"control": answer(b"")}):
        assert sources_of([str(tmp_path)]) == [SnapshotSource(f"unix:{tmp_path}/agents/n1.sock", "n1")]


@pytest.mark.parametrize(
    "text",
    [
        "node-1",
        "ftp://a",
        "http://",
        "http://a:99999",
        "http://u@a",
        "http://a/x",
        "http://a?b",
        "/nowhere",
        "",
        "http://a b/",
        "http://a\nb/",
        "http://a\t/",
        "http://\x9b/",
        "http://a\u2028/",
        " http://a",
        "http://a:0",
        "unix:",
        "unix:///",
        "x" * 300,
        "x/" * 3000,
    ],
)
def test_what_is_no_source_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r'^source: got ".*", expected ') as refused:
        sources_of([text])
    assert "\n" not in str(refused.value)

"""`kubesonar support` and `check --from`, as people run them."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from kubesonar.api.documents import IncidentPage, MatrixDocument, VerdictDocument
from kubesonar.apps import support
from kubesonar.apps.client import check
from kubesonar.config import ConfigError
from kubesonar.core.encoding import encode_json
from kubesonar.model import Finding, Health, Severity, Verdict
from kubesonar.net.clock import SystemClock
from tests.apps.listening import answer, answers, on_sockets, on_tcp
from tests.core.mesh import Mesh

DEAD = Finding("dns_server", "dns-1", "dead", None, 0.99, "dns-1 is dead", severity=Severity.CRITICAL)


def test_the_archive_of_a_sick_mesh_gives_the_same_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "a.tar.gz"
    with on_sockets(tmp_path, answers(Mesh().cut("node-3"))):
        assert check.main([str(tmp_path)]) == 1
        before = capsys.readouterr().out.splitlines()
        assert support.main([str(tmp_path), "--out", str(archive)]) == 0
        said = capsys.readouterr().out
    assert re.search(r"a\.tar\.gz: \d+ KiB\n  manifest\.json\n  unread\.json\n  snapshots/ \(10\)\n", said)
    assert said.endswith(f"kubesonar check --from {archive} gives the same verdict\n")
    assert check.main(["--from", str(archive)]) == 1
    after = capsys.readouterr().out.splitlines()
    assert [line for line in after if not line.startswith(" ")][:2] == [
        line for line in before if not line.startswith(" ")
    ][:2]


def test_a_collector_is_asked_for_what_it_remembers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = SystemClock().wall()
    verdict = VerdictDocument(1, Verdict(Health.BAD, "dns-1 is dead", now, (DEAD,), members=3, observers=3), "")

    def served(request: bytes) -> bytes | None:
        document: object = verdict
        if b"/incidents" in request:
            document = IncidentPage(1, (), "")
        elif b"/matrix" in request:
            document = MatrixDocument(1, now, ())
        return answer(encode_json(document))(request)

    archive = tmp_path / "a"
    with on_tcp(served) as url:
        assert support.main(["--collector", url, "--out", str(archive)]) == 0
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["manifest.json", "verdict.json", "incidents.json", "matrix.json"]
    capsys.readouterr()
    assert check.main(["--from", str(archive)]) == 1
    assert capsys.readouterr().out.startswith("dns-1 is dead")


def test_who_does_not_answer_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "a"
    assert support.main(["--collector", "http://127.0.0.1:9", "--out", str(archive)]) == 0
    assert "left out: the collector at http://127.0.0.1:9 does not answer" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="neither snapshots nor a verdict"):
        check.main(["--from", str(archive)])


def test_an_archive_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    archive = tmp_path / "a"
    archive.write_text("mine")
    with (
        on_tcp(answer(b"", 401)) as url,
        pytest.raises(ConfigError, match=r"^--out: .* cannot be written: File exists"),
    ):
        support.main([url, "--out", str(archive)])
    assert archive.read_text() == "mine"


@pytest.mark.parametrize("more", [["http://127.0.0.1:9"], ["--collector", "http://127.0.0.1:9"], ["--watch"]])
def test_an_archive_is_judged_alone(tmp_path: Path, more: list[str]) -> None:
    with pytest.raises(ConfigError, match="--from: expected it alone"):
        check.main(["--from", str(tmp_path / "a"), *more])

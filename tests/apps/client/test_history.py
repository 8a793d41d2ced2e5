"""`kubesonar history`, as people run it, and what the other commands say of a collector."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kubesonar.api.documents import IncidentPage, MatrixDocument, NoticePage, VerdictDocument
from kubesonar.apps.client import check, explain, history, map
from kubesonar.config import ConfigError
from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord, RecordedChange
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeRecord
from kubesonar.core.encoding import encode_json
from kubesonar.model import Condition, Finding, Health, Notice, Verdict
from kubesonar.net.clock import SystemClock
from tests.apps.listening import answer, on_tcp

NOW = SystemClock().wall()
SICK = Finding("node", "node-3", "cut", NOW - 600, 0.9, "node-3 is cut off", evidence=("8 of 8 observers agree",))


def record(id: str, opened: float, closed: float | None, finding: Finding = SICK) -> IncidentRecord:
    changes = (RecordedChange(opened, "opened", finding.sentence),)
    return IncidentRecord(1, id, finding, opened, opened, closed or NOW, closed, 0, changes)


PAGE = encode_json(IncidentPage(1, (record("bb", NOW - 65, None), record("aa", NOW - 600, NOW - 480)), ""))
NOTICES = (
    NoticeRecord(1, Notice("n3", Condition.OPENED, "node-3", NOW - 64, "node-3 is cut off", incident="bb")),
    NoticeRecord(1, Notice("n2", Condition.DEAD, "node-7", NOW - 300, "node-7 is dead"), NOW - 299),
    NoticeRecord(1, Notice("n1", Condition.OPENED, "node-3", NOW - 599, "…", incident="aa"), NOW - 598),
)


def remembering(incidents: bytes, *notices: NoticeRecord) -> Callable[[bytes], bytes | None]:
    """Answer as a collector that remembers these."""

    def served(request: bytes) -> bytes | None:
        told = encode_json(NoticePage(1, notices, ""))
        return answer(told if b"/api/v1/notices" in request else incidents)(request)

    return served


def test_incidents_are_told_with_their_times_the_latest_last(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp(remembering(PAGE)) as url:
        assert history.main(["--collector", url, "--since", "12h"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "(2 min)" in lines[0]
    assert "[aa]" in lines[0]
    assert lines[1].strip() == "node-3 is cut off"
    assert lines[2].startswith("since ")
    assert "[bb]" in lines[2]


def test_without_one_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp(remembering(encode_json(IncidentPage(1, (), "")))) as url:
        for given, told in (("12h", "12h"), ("90", "90 s")):
            assert history.main(["--collector", url, "--since", given]) == 0
            assert capsys.readouterr().out == f"no incident in the last {told}\n"


def test_what_was_told_stands_with_its_incident_and_the_rest_between(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp(remembering(PAGE, *NOTICES)) as url:
        assert history.main(["--collector", url, "--since", "12h"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["node-3", "notices:"]
    assert lines[2].startswith("    notices: opened ")
    assert lines[3].endswith("  notice: dead")
    assert lines[4:5] == ["    node-7 is dead"]
    assert lines[7].endswith(" (not delivered yet)")


def test_what_an_open_incident_told_before_is_asked_for_too(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[bytes] = []
    serve = remembering(PAGE, *NOTICES)

    def served(request: bytes) -> bytes | None:
        asked.append(request.split(b" ")[1])
        return serve(request)

    with on_tcp(served) as url:
        assert history.main(["--collector", url, "--since", "30s"]) == 0
    assert asked[1] == f"/api/v1/notices?since={NOW - 600:.0f}".encode()
    assert "node-7" not in capsys.readouterr().out  # that was no incident, and is longer ago


def test_json_has_time_stamps(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp(remembering(PAGE, *NOTICES)) as url:
        assert history.main(["--collector", url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["id"], one["what"], one["incident"]) for one in told["notices"]] == [
        ("n1", "opened", "aa"),
        ("n2", "dead", ""),
        ("n3", "opened", "bb"),
    ]
    assert told["notices"][0]["delivered"].endswith("Z")
    assert told["notices"][2]["delivered"] is None
    first, second = told["incidents"]
    assert (first["id"], second["closed"]) == ("aa", None)
    assert first["changes"][0]["became"] == "opened"
    assert first["opened"].endswith("Z")


def test_only_the_map_has_the_collector_send_the_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[bytes] = []
    document = encode_json(VerdictDocument(1, Verdict(Health.GOOD, "all well", NOW, members=3, observers=3), ""))

    def served(request: bytes) -> bytes | None:
        path = request.split(b" ")[1]
        asked.append(path)
        return answer(document if path == b"/api/v1/verdict" else encode_json(MatrixDocument(1, NOW, ())))(request)

    with on_tcp(served) as url:
        assert check.main(["--collector", url]) == 0
        assert asked == [b"/api/v1/verdict"]
        assert map.main(["--collector", url, "--once"]) == 0
        assert asked[1:] == [b"/api/v1/verdict", b"/api/v1/matrix"]
    assert "all well" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ["--since", "yesterday"],
            '^--since: got "yesterday", expected a duration of at most ten years, as "12h" or "30m"$',
        ),
        (["--since", "12x"], '^--since: got "12x", expected a duration'),
        (["--since", "-1h"], '^--since: got "-1h", expected a duration'),
        (["--since", "0"], '^--since: got "0", expected a duration'),
        (["--since", "nan"], '^--since: got "nan", expected a duration'),
        (["--since", "99999h"], '^--since: got "99999h", expected a duration of at most ten years'),
        (["--collector", "ftp://a"], '^--collector: got "ftp://a", expected http://HOST:PORT'),
        (["--collector", "/nowhere"], '^--collector: got "/nowhere", expected http://HOST:PORT'),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: Sequence[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        history.main(["--collector", "http://127.0.0.1:9", *arguments])


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 401, "asks for a token"),
        (b"", 404, "no collector, or of another version"),
        (b"{}", 200, "does not answer as one"),
        (b"\x1b[2J", 200, "does not answer as one"),
    ],
)
def test_whatever_answers_there_is_no_history(body: bytes, status: int, why: str) -> None:
    with on_tcp(answer(body, status)) as url, pytest.raises(ConfigError, match=why):
        history.main(["--collector", url])


def test_what_is_over_can_be_explained_by_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp(answer(PAGE)) as url:
        assert explain.main(["aa", "--collector", url]) == 0
    assert "8 of 8 observers agree" in capsys.readouterr().out


def test_a_collector_that_does_not_answer_makes_it_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--collector", "http://127.0.0.1:9"]) == 2
    assert "cannot tell: the collector at http://127.0.0.1:9 does not answer" in capsys.readouterr().out
    assert map.main(["--once", "--collector", "http://127.0.0.1:9"]) == 2


def test_agents_and_a_collector_are_not_asked_both() -> None:
    with pytest.raises(ConfigError, match="one of them, not both"):
        check.main(["http://127.0.0.1:9", "--collector", "http://127.0.0.1:9"])


def test_the_collector_and_its_token_are_known_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document = encode_json(VerdictDocument(1, Verdict(Health.GOOD, "well", NOW), ""))
    (tmp_path / "token").write_text("reader\n")

    def guarded(request: bytes) -> bytes | None:
        return answer(document if b"Bearer reader" in request else b"", 200 if b"Bearer reader" in request else 401)(
            request
        )

    with on_tcp(guarded) as url:
        monkeypatch.setenv("KUBESONAR_COLLECTOR", url)
        assert check.main([]) == 2
        monkeypatch.setenv("KUBESONAR_TOKEN_FILE", str(tmp_path / "token"))
        assert check.main([]) == 0
        assert check.main(["unix:/nowhere/a.sock"]) == 2  # whom the command line names goes before the environment
        with pytest.raises(ConfigError, match=r"^--from: /nowhere/a\.tar\.gz is no support archive"):
            check.main(["--from", "/nowhere/a.tar.gz"])
        with pytest.raises(ConfigError, match="expected one of them, not both"):
            check.main(["unix:/nowhere/a.sock", "--collector", url])

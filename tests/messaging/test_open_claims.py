from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from kubesonar.core.membership.messages import Reachability, Seen, StatusClaim
from kubesonar.messaging.open_claims import MAX_CLAIMS, OPEN_CLAIMS_FILE, OpenClaimsFile
from kubesonar.model import Condition

CLAIM = StatusClaim("node-3/pod/7473", 7, 1, Condition.DEAD, 4.0, True, (Seen("node-1/pod/7473", Reachability.SILENT),))


def at(folder: Path, now: float) -> OpenClaimsFile:
    return OpenClaimsFile(str(folder), lambda: now)


def test_what_was_kept_is_there_after_a_restart_and_the_silence_has_gone_on(tmp_path: Path) -> None:
    at(tmp_path, 1000.0).save([CLAIM])
    assert at(tmp_path, 1030.0).load() == (replace(CLAIM, silent=34.0),)
    assert stat.S_IMODE((tmp_path / OPEN_CLAIMS_FILE).stat().st_mode) == 0o600


def test_what_has_ended_is_kept_no_more(tmp_path: Path) -> None:
    file = at(tmp_path, 1000.0)
    file.save([CLAIM])
    file.save([])
    assert at(tmp_path, 1030.0).load() == ()


def test_without_anything_to_keep_or_a_directory_there_is_no_file(tmp_path: Path) -> None:
    at(tmp_path, 1000.0).save([])
    none = OpenClaimsFile("", lambda: 0.0)
    none.save([CLAIM])
    assert none.load() == () and list(tmp_path.iterdir()) == []


def test_the_clock_was_set_back(tmp_path: Path) -> None:
    at(tmp_path, 1000.0).save([CLAIM])
    assert at(tmp_path, 10.0).load() == (CLAIM,)


def test_no_more_is_kept_than_is_read(tmp_path: Path) -> None:
    many = [replace(CLAIM, member=f"n{number}/pod/7473") for number in range(MAX_CLAIMS + 5)]
    at(tmp_path, 1000.0).save(many)
    assert len(at(tmp_path, 1000.0).load()) == MAX_CLAIMS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "malformed"),
        ("\xff", "malformed"),
        ('{"version":1,"at":1,"claims":[[5,"",0,0,"dead"]]}', "malformed"),
        ('{"version":2,"at":1,"claims":[]}', "version 2, expected 1"),
        ("[" * 100_000, "malformed"),
    ],
)
def test_a_file_that_cannot_be_used_is_passed_over_with_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, why: str
) -> None:
    (tmp_path / OPEN_CLAIMS_FILE).write_bytes(text.encode("latin-1"))
    with caplog.at_level(logging.WARNING):
        assert at(tmp_path, 1000.0).load() == ()
    assert why in caplog.text
    at(tmp_path, 1000.0).save([CLAIM])
    assert at(tmp_path, 1000.0).load() == (CLAIM,)


def test_a_directory_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = OpenClaimsFile(str(tmp_path / "none"), lambda: 0.0)
    with caplog.at_level(logging.WARNING):
        file.save([CLAIM])
        file.save([CLAIM])
    assert caplog.text.count("open conditions are not kept: No such file or directory") == 1

"""`kubesonar keys` on a file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kubesonar.cli import main as command
from kubesonar.net.udp.key_file import read_keys

SECRET = "ab" * 16


def keys(*arguments: str | Path) -> int:
    return command(["keys", *map(str, arguments)])


def test_make_prints_the_next_key_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    path.write_text(f"3 {SECRET}\n1 {SECRET}\n")
    before = path.read_bytes()
    assert keys("make", path) == 0
    line = capsys.readouterr().out
    assert line.startswith("4 ") and line.count("\n") == 1
    assert read_keys(before + line.encode()).ids == (3, 1, 4)
    assert path.read_bytes() == before


def test_a_rotation_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    steps = [("make", "--append"), ("make", "--append"), ("sign", "2"), ("remove", "1")]
    found = [(keys(*step, path), read_keys(path.read_bytes()).ids) for step in steps]
    assert found == [(0, (1,)), (0, (1, 2)), (0, (2, 1)), (0, (2,))]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = ["key 1 was added, key 1 signs", "key 2 was added, key 1 signs", "key 2 signs"]
    assert capsys.readouterr() == (
        "".join(f"{path}: {what}\n" for what in [*said, "key 1 was removed, key 2 signs"]),
        "",
    )


@pytest.mark.parametrize("step", [("make",), ("make", "--append"), ("sign", "1"), ("remove", "1")])
@pytest.mark.parametrize("there", [b"1 secret!\n", b"1 abababababababababababababababab\n1 x\n", b"\0" * 5000])
def test_a_broken_file_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: tuple[str, ...], there: bytes
) -> None:
    path = tmp_path / "keys"
    path.write_bytes(there)
    assert keys(*step, path) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), path.read_bytes()) == ("", 1, there)
    assert said.err.startswith(f"kubesonar keys: {path}: ")
    assert "secret!" not in said.err


def test_a_file_for_everybody_is_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    path.write_text(f"1 {SECRET}\n")
    path.chmod(0o644)
    assert keys("make", "--append", path) == 0
    assert "is open to every user of this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("make", "/nowhere/keys"), 1, "No such file or directory"),
        (("make", "--append", "/nowhere/keys"), 1, "No such file or directory"),
        (("sign", "2", "/nowhere-at-all"), 1, "No such file or directory"),
        (("remove", "2", "/nowhere-at-all"), 1, "No such file or directory"),
        (("make", "--append"), 2, "expected FILE or --secret NAME"),
        (("sign", "2"), 2, "expected FILE or --secret NAME"),
        (("make", "keys", "--secret", "mesh"), 2, "expected one of both"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    assert keys(*arguments) == code
    said, *more = capsys.readouterr().err.splitlines()
    assert sentence in said
    assert more == ([f"kubesonar keys {arguments[0]} --help shows more"] if code == 2 else [])


@pytest.mark.parametrize("id", ["0", "256", "-1", "x", "1e1", "٣", "9" * 5000, "000000001" + "9" * 5000])
def test_an_id_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], id: str) -> None:
    assert keys("sign", id, "keys") == 2
    assert "ID" in capsys.readouterr().err

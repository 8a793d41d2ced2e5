"""Keys change under a running agent, and a bad file changes nothing."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from kubesonar.net.udp.key_file import KEY_FILE_LIMIT, watch_key_file

HEX = "00112233445566778899aabbccddeeff"
WORD = b64encode(bytes(range(32))).decode()


def written(path: Path, text: str) -> str:
    """Swaps the file as a Secret's mount does: a new one under a symlink that is replaced."""
    fresh = path.with_name(f"{path.name}.{len(list(path.parent.iterdir()))}")
    fresh.write_text(text)
    link = path.with_name("link")
    link.symlink_to(fresh)
    link.rename(path)
    return str(path)


def test_the_first_key_signs_and_all_are_accepted(tmp_path: Path) -> None:
    file = watch_key_file(written(tmp_path / "keys", f"# ours\n7 {HEX}  # hex\n\n9 {WORD}\n"))
    assert file.value.signer == 7
    assert set(file.value.ids) == {7, 9}


def test_a_changed_file_is_taken_over_and_an_unchanged_one_is_not_read_again(tmp_path: Path) -> None:
    file = watch_key_file(written(tmp_path / "keys", f"1 {HEX}"))
    ring = file.value
    assert file.get() is ring
    written(tmp_path / "keys", f"2 {WORD}\n1 {HEX}")
    assert (file.get().signer, set(file.value.ids)) == (2, {1, 2})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        ("1", "line 1 is not of the form ID KEY"),
        (f"one {HEX}", "line 1 is not of the form"),
        ("9" * 3000 + f" {HEX}", "line 1 is not of the form"),
        (f"1 {HEX}\n1 {WORD}", "line 2 gives key 1 a second time"),
        (f"0 {HEX}", "line 1 is not of the form ID KEY, with an ID of 1 to 255"),
        ("1 0011", "2 bytes, 16 to 32"),
        ("1 not!base64", "neither hex nor base64"),
        ("1 " + "ä" * 40, "neither hex nor base64"),
        (f"1 {HEX} more", "line 1"),
        ("\n".join(f"{number} {HEX}" for number in range(1, 6)), "at most 4"),
        ("#" * (KEY_FILE_LIMIT + 1), "larger than"),
    ],
)
def test_a_bad_file_is_refused_at_the_start_and_ignored_later_with_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        watch_key_file(written(tmp_path / "keys", text))
    file = watch_key_file(written(tmp_path / "keys", f"1 {HEX}"))
    written(tmp_path / "keys", text)
    assert file.get().ids == file.get().ids == (1,)
    (complaint,) = [record.getMessage() for record in caplog.records]
    assert words in complaint and "stays in force" in complaint


def test_no_key_is_ever_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = watch_key_file(written(tmp_path / "keys", f"1 {HEX}"))
    written(tmp_path / "keys", f"1 {WORD}!")
    file.get()
    assert caplog.text
    assert WORD not in caplog.text


def test_a_file_that_vanishes_is_reported_once_and_taken_up_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = watch_key_file(written(tmp_path / "keys", f"1 {HEX}"))
    (tmp_path / "keys").unlink()
    assert file.get().ids == file.get().ids == (1,)
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "No such file or directory; what was read before stays in force"
    ]
    written(tmp_path / "keys", f"3 {HEX}")
    assert file.get().ids == (3,)


def test_an_agent_does_not_start_without_the_file_it_was_told_to_use(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        watch_key_file(str(tmp_path / "none"))

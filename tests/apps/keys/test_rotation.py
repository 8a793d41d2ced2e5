"""The steps of a rotation change a key file, and never into one that agents refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.apps.keys.rotation import add_key, next_key, remove_key, sign_with
from kubesonar.core.wire.keyring import Keyring
from kubesonar.net.udp.key_file import read_keys

SECRET = "ab" * 16


def file_of(*ids: int) -> bytes:
    return "".join(f"{number} {SECRET}\n" for number in ids).encode()


@pytest.mark.parametrize(
    ("there", "number"),
    [
        (b"", 1),
        (b"\n", 1),
        (file_of(1), 2),
        (file_of(2), 3),
        (file_of(7, 3), 8),
        (file_of(3, 7), 8),
        (file_of(2, 9, 1), 10),
        (file_of(254), 255),
        (file_of(255), 1),
        (file_of(1, 255), 2),
        (file_of(255, 2, 1), 3),
        (b"# mesh A\r\n4 " + SECRET.encode() + b"  # of May\r\n", 5),
    ],
)
def test_the_next_id_is_one_more_than_the_highest_and_the_lowest_free_one_after_255(there: bytes, number: int) -> None:
    line, next_number = next_key(there)
    assert (next_number, line.split()[0]) == (number, str(number).encode())
    changed, said = add_key(there)
    before = read_keys(there).ids if there.strip() else ()
    assert set(read_keys(changed).ids) == {*before, number}
    assert read_keys(changed).signer == (before or (number,))[0]
    assert changed.startswith(there)
    assert f"key {number} was added" in said


def test_a_file_without_a_line_break_at_its_end_gets_one() -> None:
    changed, _ = add_key(b"1 " + SECRET.encode())
    assert read_keys(changed).ids == (1, 2)


@pytest.mark.parametrize(
    ("there", "sentence"),
    [
        (b"x secret", "line 1 is not of the form ID KEY"),
        (file_of(1) + b"1 " + b"cd" * 16, "line 2 gives key 1 a second time"),
        (file_of(0), "line 1 is not of the form ID KEY, with an ID of 1 to 255"),
        (file_of(256), "line 1 is not of the form ID KEY, with an ID of 1 to 255"),
        (b"1 abcd\n", "key 1 has 2 bytes"),
        (b"# nothing\n", "it holds no key"),
        (file_of(1, 2, 3, 4), "it holds 4 keys and no more can be valid at once, remove one first"),
        (file_of(1) + b"#" * 4000, "larger than 4096 bytes"),
        (b"\xff\xfe1 2", "line 1 is not"),
    ],
)
def test_what_agents_refuse_is_refused(there: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        add_key(there)


def test_the_signing_key_moves_before_the_others_and_comments_stay() -> None:
    there = b"# ours\n\n1 " + SECRET.encode() + b" # old\n2 " + SECRET.encode()
    changed, said = sign_with(2)(there)
    lines = [b"# ours", b"", b"2 " + SECRET.encode(), b"1 " + SECRET.encode() + b" # old"]
    assert (changed.splitlines(), said) == (lines, "key 2 signs")
    assert sign_with(2)(changed)[0] == changed


def test_a_key_that_is_not_there_cannot_sign_or_be_removed() -> None:
    for change in (sign_with(3), remove_key(3)):
        with pytest.raises(ValueError, match="it has no key 3, it has 1, 2"):
            change(file_of(2, 1))


def test_the_signing_key_is_not_removed() -> None:
    with pytest.raises(ValueError, match="key 2 signs, have another one sign first"):
        remove_key(2)(file_of(2, 1))
    assert remove_key(1)(file_of(2, 1)) == (file_of(2), "key 1 was removed, key 2 signs")


@given(st.lists(st.tuples(st.sampled_from(["add", "sign", "remove"]), st.integers(0, 3)), max_size=60))
def test_no_order_of_steps_makes_a_file_that_agents_refuse(steps: list[tuple[str, int]]) -> None:
    data, _ = add_key(b"")
    for step, place in steps:
        ids = read_keys(data).ids
        chosen = ids[place % len(ids)]
        try:
            data, _ = {"add": add_key, "sign": sign_with(chosen), "remove": remove_key(chosen)}[step](data)
        except ValueError:
            assert (step == "add" and len(ids) == Keyring.LIMIT) or (step == "remove" and chosen == ids[0])
    assert read_keys(data).ids

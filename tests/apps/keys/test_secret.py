"""Keys in a Secret, against an API server over real HTTPS."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.apps.keys import main
from kubesonar.cli import main as command
from kubesonar.net.udp.key_file import read_keys, watch_key_file
from kubesonar.web import BearerToken
from tests.kube.apiserver import ApiServer


def make(api: ApiServer, folder: Path, *more: str) -> int:
    return main(["make", "--secret", "mesh", "--kubeconfig", api.kubeconfig(folder / "config"), *more])


def secret(**data: bytes) -> dict[str, object]:
    return {
        "metadata": {"name": "mesh", "namespace": "default"},
        "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
    }


def test_without_a_secret_a_key_file_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["keys", "make"]) == 0
    (tmp_path / "keys").write_text(capsys.readouterr().out)
    assert watch_key_file(str(tmp_path / "keys")).value.ids == (1,)


def test_each_key_is_another(capsys: pytest.CaptureFixture[str]) -> None:
    printed = {main(["make"]) or capsys.readouterr().out for _ in range(4)}
    assert len(printed) == 4


def test_the_secret_holds_what_agents_can_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ApiServer() as api:
        assert make(api, tmp_path) == 0
        data = {name: base64.b64decode(value) for name, value in api.get("secrets", "mesh")["data"].items()}
    assert capsys.readouterr().out == "Secret default/mesh made\n"
    assert read_keys(data["keys"]).ids == (1,)
    assert not data["token"].endswith(b"\n")
    (tmp_path / "token").write_bytes(data["token"])
    BearerToken(str(tmp_path / "token"))


def test_a_secret_that_is_there_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ApiServer() as api:
        make(api, tmp_path)
        before = api.get("secrets", "mesh")
        assert make(api, tmp_path) == 0
        assert api.get("secrets", "mesh") == before
    assert capsys.readouterr().out.endswith("Secret default/mesh is there and stays as it is\n")


@pytest.mark.parametrize(
    ("there", "wrong"),
    [
        (secret(keys=b"1 " + b"ab" * 32), "it has no token"),
        (secret(token=b"t"), "it has no keys"),
        (secret(keys=b"x secret-key", token=b"t"), "its keys cannot be used: line 1 is not of the form ID KEY"),
        (secret(keys=b"1 " + b"ab" * 32, token=b"\n"), "its token is empty"),
    ],
)
def test_a_secret_that_agents_cannot_use_fails_the_installation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], there: dict[str, object], wrong: str
) -> None:
    with ApiServer() as api:
        api.put("secrets", there)
        assert make(api, tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith("kubesonar keys: Secret default/mesh is there, but " + wrong)
    assert "secret-key" not in said


def test_a_missing_right_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ApiServer() as api:
        api.refuse("create", "secrets")
        assert make(api, tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith("kubesonar keys: 403 Forbidden: ")
    assert said.count("\n") == 1


def test_a_bad_name_never_reaches_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["keys", "make", "--secret", "../pods"]) == 2
    assert "--secret" in capsys.readouterr().err


def rotate(api: ApiServer, folder: Path, *step: str) -> int:
    return main([*step, "--secret", "mesh", "--kubeconfig", api.kubeconfig(folder / "config")])


def keys_of(api: ApiServer) -> tuple[int, ...]:
    return read_keys(base64.b64decode(api.get("secrets", "mesh")["data"]["keys"])).ids


def test_a_secret_is_rotated_and_the_job_of_the_chart_leaves_it_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer() as api:
        assert rotate(api, tmp_path, "make", "--append") == 0
        token = api.get("secrets", "mesh")["data"]["token"]
        steps = {("make", "--append"): (1, 2), ("sign", "2"): (2, 1), ("make",): (2, 1), ("remove", "1"): (2,)}
        for step, ids in steps.items():
            assert rotate(api, tmp_path, *step) == 0
            assert keys_of(api) == ids
        assert rotate(api, tmp_path, "make") == 0
        assert keys_of(api) == (2,)
        assert api.get("secrets", "mesh")["data"]["token"] == token
    assert capsys.readouterr().out.splitlines() == [
        "Secret default/mesh made",
        "Secret default/mesh: key 2 was added, key 1 signs",
        "Secret default/mesh: key 2 signs",
        "Secret default/mesh is there and stays as it is",
        "Secret default/mesh: key 1 was removed, key 2 signs",
        "Secret default/mesh is there and stays as it is",
    ]


@pytest.mark.parametrize("step", [("make", "--append"), ("sign", "1"), ("remove", "1")])
def test_a_secret_that_agents_cannot_use_is_not_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: tuple[str, ...]
) -> None:
    with ApiServer() as api:
        api.put("secrets", secret(keys=b"x secret-key", token=b"t"))
        before = api.get("secrets", "mesh")
        assert rotate(api, tmp_path, *step) == 1
        assert api.get("secrets", "mesh") == before
    said = capsys.readouterr().err
    assert said.startswith("kubesonar keys: Secret default/mesh stays as it is, as its keys cannot be used: line 1")
    assert "secret-key" not in said


def test_a_step_on_a_secret_that_is_missing_or_too_full_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer() as api:
        assert rotate(api, tmp_path, "sign", "2") == 1
        assert capsys.readouterr().err.startswith("kubesonar keys: 404 NotFound")
        assert [rotate(api, tmp_path, "make", "--append") for _ in range(5)] == [0, 0, 0, 0, 1]
        assert keys_of(api) == (1, 2, 3, 4)


def test_two_who_rotate_a_secret_at_once_both_do(tmp_path: Path) -> None:
    with ApiServer() as api:
        assert rotate(api, tmp_path, "make") == 0
        config = api.kubeconfig(tmp_path / "config")
        command = [sys.executable, "-m", "kubesonar", "keys", "make", "--append", "--secret", "mesh"]
        both = [subprocess.Popen([*command, "--kubeconfig", config], stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [one.wait(60) for one in both] == [0, 0]
        assert keys_of(api) == (1, 2, 3)

"""`kubesonar keys make`, against an API server over real HTTPS."""

from __future__ import annotations

import base64
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

"""What each source may say, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesonar.config import ConfigError, resolve
from tests.config.trees import Root, load_file, refusal


def test_a_field_with_underscores_has_one_environment_name() -> None:
    assert resolve(Root, [], {"KUBESONAR_UDP_TIME_OUT": "1s"}).tree.udp.time_out == 1


def test_an_empty_file_and_an_empty_section_say_nothing(tmp_path: Path) -> None:
    assert load_file(tmp_path, "") == Root()
    assert load_file(tmp_path, "http:\n") == Root()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--http.prot", "1"], "unknown flag --http.prot; did you mean --http.port?"),
        (["--http.port", "x"], 'http.port (flag --http.port): got "x", expected a whole number from 1 to 65535'),
        (["--http.port=0"], 'http.port (flag --http.port): got "0", expected a whole number from 1 to 65535'),
        (["--http.port"], "flag --http.port has no value, expected --http.port VALUE or --http.port=VALUE"),
        (
            ["--http.port", "--quiet=1"],
            "flag --http.port has no value, expected --http.port VALUE or --http.port=VALUE",
        ),
        (["go"], 'unexpected argument "go", expected flags such as --section.field VALUE'),
        (["--edges", "some"], 'edges (flag --edges): got "some", expected one of bad, all'),
        (["--network", "pdo"], 'network (flag --network): got "pdo", expected one of pod, host'),
        (["--quiet", "yes"], 'quiet (flag --quiet): got "yes", expected true or false'),
        (["--udp.period", "nan"], None),
        (["--udp.period", "5 s"], None),
        (["--udp.period", "9h"], None),
        (["--name", ""], 'name (flag --name): got "", expected text of at least 1 characters'),
        (["--labels", "{a: *b}"], "labels (flag --labels): what was given uses an alias (*b), which is not allowed"),
        (["--udp.ports", "[1, x]"], None),
        (["--config", "/no/such"], "file:/no/such cannot be read: No such file or directory"),
    ],
)
def test_a_bad_flag_is_one_sentence(flags: list[str], sentence: str | None) -> None:
    text = refusal(flags)
    assert text == sentence or (sentence is None and flags[0].removeprefix("--") in text)
    assert "\n" not in text


SECRET = f"https://user:{'word' * 30}@host/path"


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        (["--http.port", SECRET], {}),
        (["--udp.ports", f"[1, '{SECRET}']"], {}),
        (["--http.listen", f"[{{address: '{SECRET}', port: x}}]"], {}),
        (["--labels", SECRET], {}),
        (["--labels", f"{{a: {SECRET}: b}}"], {}),
        ([SECRET], {}),
        ([f"--{SECRET}", "1"], {}),
        (["--config", SECRET], {}),
        ([], {"KUBESONAR_HTTP_PORT": SECRET}),
    ],
)
def test_no_refusal_repeats_the_password_of_a_url(flags: list[str], environ: dict[str, str]) -> None:
    assert "word" not in refusal(flags, environ)


def test_unknown_variables_are_refused_without_their_value() -> None:
    text = refusal([], {"KUBESONAR_HTTP_TOKEN": "s3cret"})
    assert "KUBESONAR_HTTP_TOKEN" in text
    assert "did you mean KUBESONAR_HTTP_" in text
    assert "s3cret" not in text


def test_variables_of_the_commands_for_people_are_passed_over() -> None:
    theirs = ("KUBESONAR_COLLECTOR", "KUBESONAR_TOKEN_FILE", "KUBESONAR_CA_FILE")
    assert resolve(Root, [], dict.fromkeys(theirs, "http://127.0.0.1:7475")).tree == Root()


def test_what_kubernetes_sets_for_a_service_of_our_name_is_not_ours() -> None:
    links = {
        "KUBESONAR_SERVICE_HOST": "10.96.0.9",
        "KUBESONAR_SERVICE_PORT_METRICS": "80",
        "KUBESONAR_PORT": "tcp://10.96.0.9:80",
        "KUBESONAR_HTTP_PORT": "tcp://10.96.0.9:80",
        "KUBESONAR_COLLECTOR_PORT_80_TCP_ADDR": "10.96.0.9",
    }
    assert resolve(Root, [], links).tree == Root()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("htp: {}", "unknown key htp in file:"),
        ("http: {porte: 1}", "did you mean http.port?"),
        ("http: {port: '1'}", 'got "1", expected a whole number'),
        ("http: 5", "http (file:"),
        ("[]", "expected a mapping of keys to values"),
        ("1: 2", "unknown key 1 in file:"),
        ("a: [", "is not YAML"),
        ("name: a\nname: b", 'gives the key "name" twice (line 2)'),
        ("a: &x [1]\nb: *x", "uses an alias (*x)"),
        ("[" * 40, "is nested deeper than 32 levels"),
        ("http: {listen: [{address: a}, {address: b, port: 70000}]}", "[1].port: expected int <= 65535"),
        ("http: {listen: [{adress: a}]}", "http.listen (file:"),
        ("udp: {period: .inf}", "udp.period (file:"),
        ("name: !!python/object/apply:os.system [id]", "is not YAML"),
        ("x" * (1 << 20) + "y", "is larger than 1048576 bytes"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_file(tmp_path, text)
    assert part in str(raised.value)
    assert len(str(raised.value)) < 600


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in refusal(["--config", str(path)])

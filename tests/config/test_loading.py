"""The effective configuration: which source wins, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.config import ConfigError, load_config, read_yaml, resolve, show_config
from kubesonar.model import Network, Seconds


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    period: Annotated[Seconds, msgspec.Meta(ge=0.1, le=3600, description="How often.")] = 5.0
    time_out: Annotated[Seconds, msgspec.Meta(gt=0, description="How long.")] = 2.0
    ports: Annotated[tuple[int, ...], msgspec.Meta(max_length=3, description="Ports.")] = (7000,)
    sizes: Annotated[list[Seconds], msgspec.Meta(description="Steps.")] = []

    def __post_init__(self) -> None:
        if self.time_out > self.period:
            raise ValueError("time_out must not exceed period")


class Listener(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    network: Network = Network.POD


class Http(msgspec.Struct, frozen=True, kw_only=True):
    listen: Annotated[tuple[Listener, ...], msgspec.Meta(description="Listeners.")] = ()
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="Port.")] = 8080
    token_file: Annotated[str | None, msgspec.Meta(description="Token.")] = None


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Root(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, description="Name.")] = "me"
    network: Network = Network.POD
    edges: Literal["bad", "all"] = "bad"
    quiet: bool = False
    labels: dict[str, str] = {}
    udp: Probe = Probe(period=10)
    http: Http = Http()
    bare: Bare = Bare()


class Inner(msgspec.Struct, frozen=True):
    b_c: int = 0


class Twice(msgspec.Struct, frozen=True):
    a: Inner = Inner()
    a_b_c: int = 0


def load_file(tmp_path: Path, text: str, *flags: str, **environ: str) -> Root:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(Root, ["--config", str(path), *flags], environ)


def refusal(flags: list[str], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(Root, flags, environ or {})
    return str(raised.value)


def test_defaults_are_those_of_the_outermost_struct_that_gives_one() -> None:
    assert load_config(Root, [], {}) == Root(udp=Probe(period=10))


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    text = "name: file\nhttp:\n  port: 1\nudp: {period: 1m, time_out: 0.5}\n"
    tree = load_file(tmp_path, text, "--name=flag", KUBESONAR_NAME="environment", KUBESONAR_HTTP_PORT="2")
    assert (tree.name, tree.http.port, tree.udp.period, tree.udp.time_out) == ("flag", 2, 60, 0.5)


def test_the_environment_names_a_file_and_a_flag_names_another(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("name: one")
    other.write_text("name: other")
    environ = {"KUBESONAR_CONFIG": str(one)}
    assert load_config(Root, [], environ).name == "one"
    assert load_config(Root, ["--config", str(other)], environ).name == "other"


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("2m", 120), ("1h", 3600), ("1m30s", 90), ("7.5", 7.5)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert load_config(Root, ["--udp.period", text, "--udp.time_out", "100ms"], {}).udp.period == pytest.approx(seconds)


def test_a_field_with_underscores_has_one_environment_name() -> None:
    assert load_config(Root, [], {"KUBESONAR_UDP_TIME_OUT": "1s"}).udp.time_out == 1


def test_lists_are_repeated_flags_or_text() -> None:
    assert load_config(Root, ["--udp.ports", "1", "--udp.ports=2"], {}).udp.ports == (1, 2)
    assert load_config(Root, [], {"KUBESONAR_UDP_PORTS": "[3, 4]"}).udp.ports == (3, 4)
    assert load_config(Root, [], {"KUBESONAR_UDP_PORTS": "5"}).udp.ports == (5,)
    assert load_config(Root, [], {"KUBESONAR_UDP_PORTS": ""}).udp.ports == ()
    assert load_config(Root, ["--udp.sizes", "[250ms, 2]"], {}).udp.sizes == [0.25, 2]


def test_lists_of_structs_are_mappings_in_yaml_or_json(tmp_path: Path) -> None:
    listener = (Listener("::1", 9),)
    assert load_config(Root, ["--http.listen", '{"address": "::1", "port": 9}'], {}).http.listen == listener
    assert load_config(Root, ["--http.listen", "[{address: '::1', port: 9}]"], {}).http.listen == listener
    assert load_file(tmp_path, "http: {listen: [{address: '::1', port: 9}]}").http.listen == listener


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


@pytest.mark.parametrize(
    ("listeners", "place"),
    [
        ("[{address: a}, {address: b, network: pdo}]", "([1].network: expected one of pod, host)"),
        ("[{address: a, port: 70000}]", "([0].port: expected int <= 65535)"),
        ("[{adress: a}]", "([0]: object contains unknown field adress)"),
        ("[a: {network: pdo}]", "([0]: object contains unknown field a)"),
    ],
)
def test_trouble_inside_a_list_is_told_with_its_place(listeners: str, place: str) -> None:
    assert refusal(["--http.listen", listeners]).endswith(place)


def test_unknown_variables_are_refused_without_their_value() -> None:
    text = refusal([], {"KUBESONAR_HTTP_TOKEN": "s3cret"})
    assert "KUBESONAR_HTTP_TOKEN" in text
    assert "did you mean KUBESONAR_HTTP_" in text
    assert "s3cret" not in text


def test_what_kubernetes_sets_for_a_service_of_our_name_is_not_ours() -> None:
    links = {
        "KUBESONAR_SERVICE_HOST": "10.96.0.9",
        "KUBESONAR_SERVICE_PORT_METRICS": "80",
        "KUBESONAR_PORT": "tcp://10.96.0.9:80",
        "KUBESONAR_HTTP_PORT": "tcp://10.96.0.9:80",
        "KUBESONAR_COLLECTOR_PORT_80_TCP_ADDR": "10.96.0.9",
    }
    assert load_config(Root, [], links) == Root()


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


def test_values_that_do_not_go_together_name_their_sources() -> None:
    text = refusal(["--udp.time_out", "20s"])
    assert text == "udp: time_out must not exceed period (udp.time_out from flag --udp.time_out)"


def test_a_value_without_default_must_be_given() -> None:
    class Needy(msgspec.Struct, frozen=True):
        name: str

    with pytest.raises(ConfigError, match="name is missing: give it in a file, by KUBESONAR_NAME or by --name"):
        load_config(Needy, [], {})


def test_two_options_must_not_share_a_variable() -> None:
    with pytest.raises(TypeError, match="share an environment variable"):
        load_config(Twice, [], {})


def test_what_is_shown_loads_to_the_same_tree(tmp_path: Path) -> None:
    loaded = resolve(Root, ["--http.listen", "{address: 'a # b'}"], {"KUBESONAR_NAME": "ünïcode: yes"})
    text = show_config(loaded.tree, loaded.origins)
    assert load_file(tmp_path, text) == loaded.tree
    assert 'name: "ünïcode: yes"  # environment variable KUBESONAR_NAME' in text
    assert text.count("#") == 3


@given(st.text(alphabet="[]{}:,&*!-# \n\"'ab1?|>%@", max_size=60))
def test_any_text_is_data_or_one_clause(text: str) -> None:
    try:
        read_yaml(text)
    except ValueError as error:
        assert "\n" not in str(error)

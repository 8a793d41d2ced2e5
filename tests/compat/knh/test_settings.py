"""What the environment says."""

import logging

import pytest

from kubesonar.compat.knh.election.identity import outranks, peer
from kubesonar.compat.knh.settings import KNH_VARIABLES, SILENT, knh_settings, mistaken_variables
from kubesonar.config import ConfigError

NEEDED = {
    "POD_IP": "10.32.0.5",
    "MY_NODE_NAME": "my-node1",
    "SERVICE_NAME": "service-knh",
    "NAMESPACE": "monitoring",
}


def test_knh01_what_is_needed_is_missed_not_refused() -> None:
    knh_settings(NEEDED)
    for name in NEEDED:
        with pytest.raises(ConfigError, match=f"^{name} is not set, expected "):
            knh_settings({**NEEDED, name: ""})


def test_knh02_numbers_are_read_and_have_the_documented_defaults() -> None:
    names = {
        "CONNECT_MAX_RETRIES": ("connect_tries", 5),
        "CONNECT_COOLDOWN_PERIOD": ("connect_pause", 2),
        "SEND_MAX_RETRIES": ("send_tries", 5),
        "SEND_COOLDOWN_PERIOD": ("send_pause", 1),
        "ELECTION_COOLDOWN_PERIOD": ("election_pause", 15),
    }
    for name, (field, default) in names.items():
        assert getattr(knh_settings(NEEDED), field) == default
        assert getattr(knh_settings({**NEEDED, name: "7"}), field) == 7
        for wrong in ("seven", "1.5", "-1", "9" * 30, "0x7", "5s"):
            with pytest.raises(ConfigError, match=rf'^{name}: got "{wrong}", expected a whole number from [01] to '):
                knh_settings({**NEEDED, name: wrong})


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ("", logging.INFO),
        ("trace", logging.DEBUG),
        ("debug", logging.DEBUG),
        ("info", logging.INFO),
        ("warn", logging.WARNING),
        ("error", logging.ERROR),
        ("fatal", logging.CRITICAL),
        ("panic", logging.CRITICAL),
        ("disabled", SILENT),
        ("-1", logging.DEBUG),
        ("2", logging.WARNING),
        ("7", SILENT),
        ("warning!", logging.INFO),
        ("100", logging.INFO),
    ],
)
def test_knh04_levels_of_the_log(given: str, level: int) -> None:
    assert knh_settings({**NEEDED, "LOG_LEVEL": given}).log_level == level


def test_knh05_the_node_has_two_names() -> None:
    older = {**NEEDED, "MY_NODE_NAME": "", "NODE_NAME": "my-node2"}
    assert knh_settings(older).node_name == "my-node2"
    assert knh_settings({**NEEDED, "NODE_NAME": "my-node2"}).node_name == "my-node1"


def test_knh06_the_port_is_8080_for_all() -> None:
    assert knh_settings(NEEDED).port == 8080
    assert knh_settings({**NEEDED, "CONTAINER_PORT": "9000"}).port == 9000


def test_knh26_a_variable_that_sets_nothing_is_pointed_out() -> None:
    assert mistaken_variables(NEEDED) == []
    assert mistaken_variables({**NEEDED, "SANITY_CHECK_URLS": "https://example.org"}) == [
        "SANITY_CHECK_URLS sets nothing: SANITY_CHECK_URL is meant, most likely"
    ]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("POD_IP", "node-1", "an IP address, as 10.32.0.5"),
        ("NAMESPACE", "../secrets", "a name in Kubernetes' sense: lower-case letters, digits, '-' and '.'"),
        ("SERVICE_NAME", "a,b=c", "a name in Kubernetes' sense: lower-case letters, digits, '-' and '.'"),
        ("CONTAINER_PORT", "0", "a whole number from 1 to 65535"),
        ("PEER_STATUS_URL", "ftp://a", "http://host:port/path or https://host:port/path"),
        ("SANITY_CHECK_URL", "example.org", "http://host:port/path or https://host:port/path"),
        ("KNH_TELL_RETURN", "yes", "true or false"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(name: str, given: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        knh_settings({**NEEDED, name: given})
    assert str(refused.value) == f'{name}: got "{given}", expected {expected}'


def test_no_password_of_a_url_is_repeated() -> None:
    with pytest.raises(ConfigError, match=r'CLUSTER_STATUS_URL: got "https://\*\*\*@a/", expected http'):
        knh_settings({**NEEDED, "CLUSTER_STATUS_URL": f"https://user:{'word' * 30}@a/"})


def test_no_variable_looks_like_a_link_to_a_service_named_knh() -> None:
    """https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables."""
    assert not any(variable.name.startswith(("KNH_SERVICE", "KNH_PORT")) for variable in KNH_VARIABLES)


def test_ids_as_documented() -> None:
    own = peer("my-node1", "10.32.0.5", 8080)
    assert (own.id, own.address, own.node_name) == ("my-node1@103205", "10.32.0.5:8080", "my-node1")


def test_knh12_an_address_of_ipv6_has_brackets_its_id_has_colons() -> None:
    own = peer("my-node1", "fd00::5", 8080)
    assert (own.id, own.address) == ("my-node1@fd00::5", "[fd00::5]:8080")


def test_knh13_two_pods_with_one_id_are_two_pods() -> None:
    one, other = peer("a", "10.1.11.1", 8080), peer("a", "10.11.1.1", 8080)
    assert one.id == other.id
    assert one != other


def test_knh19_ids_are_ordered_as_strings() -> None:
    assert outranks("node-9@1", "node-10@1")
    assert outranks("node-é@1", "node-z@1")
    assert not outranks("node-1@1", "node-1@1")

from __future__ import annotations

import pytest

from kubesonar.compat.kubenurse.settings import (
    BUCKETS,
    KUBENURSE_VARIABLES,
    KubenurseSettings,
    kubenurse_settings,
    misspelt_variables,
)
from kubesonar.compat.kubenurse.values import Extra
from kubesonar.config import ConfigError


def test_without_variables_all_is_as_documented() -> None:
    settings = kubenurse_settings({})
    assert settings == KubenurseSettings()
    assert settings.check_interval == settings.shutdown_duration == 5.0
    assert (settings.neighbour_limit, settings.histogram_buckets) == (10, BUCKETS)
    assert settings.api_dns == "kubernetes.default.svc.cluster.local"
    assert settings.check_me_ingress
    assert not settings.insecure


def test_empty_is_unset() -> None:
    assert kubenurse_settings({variable.name: "" for variable in KUBENURSE_VARIABLES}) == KubenurseSettings()


def test_every_variable_sets_its_field() -> None:
    fields = [variable.field for variable in KUBENURSE_VARIABLES]
    assert sorted(fields) == sorted(KubenurseSettings.__struct_fields__)


@pytest.mark.parametrize("word", ["True", "TRUE", "1", "yes", "on", " true", "false"])
def test_kn09_only_the_word_true_switches_on(word: str) -> None:
    assert not kubenurse_settings({"KUBENURSE_INSECURE": word}).insecure
    assert kubenurse_settings({"KUBENURSE_INSECURE": "true"}).insecure


@pytest.mark.parametrize("word", ["False", "FALSE", "0", "no", "off", " false", "true"])
def test_kn09_only_the_word_false_switches_off(word: str) -> None:
    assert kubenurse_settings({"KUBENURSE_CHECK_ME_SERVICE": word}).check_me_service
    assert not kubenurse_settings({"KUBENURSE_CHECK_ME_SERVICE": "false"}).check_me_service


def test_kn11_extra_checks_are_cut_at_the_first_colon() -> None:
    settings = kubenurse_settings(
        {"KUBENURSE_EXTRA_CHECKS": "shop:https://shop.example:8443/|mail:http://mail.example"}
    )
    assert settings.extra_checks == (
        Extra("shop", "https://shop.example:8443/"),
        Extra("mail", "http://mail.example"),
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("KUBENURSE_EXTRA_CHECKS", "shop", "NAME:URL"),
        ("KUBENURSE_EXTRA_CHECKS", "shop:http://a|", "NAME:URL"),
        ("KUBENURSE_NEIGHBOUR_LIMIT", "ten", "a whole number"),
        ("KUBENURSE_NEIGHBOUR_LIMIT", "1_0", "a whole number"),
        ("KUBENURSE_CHECK_INTERVAL", "5", "a duration"),
        ("KUBENURSE_CHECK_INTERVAL", "-5s", "a duration"),
        ("KUBENURSE_CHECK_INTERVAL", "0s", "at least"),
        ("KUBENURSE_SHUTDOWN_DURATION", "-1s", "not negative"),
        ("KUBENURSE_HISTOGRAM_BUCKETS", "1, 2", "rising numbers"),
        ("KUBENURSE_HISTOGRAM_BUCKETS", "2,1", "rising numbers"),
        ("KUBENURSE_HISTOGRAM_BUCKETS", "1,1", "rising numbers"),
        ("KUBENURSE_HISTOGRAM_BUCKETS", "a", "rising numbers"),
        ("KUBENURSE_NAMESPACE", "../x", "the name of a namespace"),
        ("KUBENURSE_LISTEN", "8080", "expected HOST:PORT"),
        ("KUBENURSE_LISTEN", ":8080,", "HOST:PORT"),
        ("KUBENURSE_ALIVE", "always", "last or access"),
    ],
)
def test_kn10_a_bad_value_is_named_in_one_sentence(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kubenurse_settings({name: value})
    assert name in str(caught.value)
    assert value in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize("limit", ["0", "-1", "+7", "007"])
def test_limits_are_read_as_go_reads_them(limit: str) -> None:
    assert kubenurse_settings({"KUBENURSE_NEIGHBOUR_LIMIT": limit}).neighbour_limit == int(limit)


def test_kn20_buckets_are_read_as_go_reads_them() -> None:
    assert kubenurse_settings({"KUBENURSE_HISTOGRAM_BUCKETS": ".001,1e-2,0.1,5"}).histogram_buckets == (
        0.001,
        0.01,
        0.1,
        5.0,
    )


def test_tls_needs_a_certificate_and_its_key() -> None:
    with pytest.raises(ConfigError, match="KUBENURSE_CERT_FILE"):
        kubenurse_settings({"KUBENURSE_USE_TLS": "true", "KUBENURSE_CERT_FILE": "/cert"})


def test_kn40_service_links_are_nobodys_settings_and_misspelt_ones_are_told() -> None:
    links = {
        "KUBENURSE_SERVICE_HOST": "10.0.0.1",
        "KUBENURSE_SERVICE_PORT": "8080",
        "KUBENURSE_SERVICE_PORT_8080_8080": "8080",
        "KUBENURSE_PORT": "tcp://10.0.0.1:8080",
        "KUBENURSE_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert kubenurse_settings(links) == KubenurseSettings()
    assert misspelt_variables({**links, "KUBENURSE_NEIGHBOR_LIMIT": "3", "KUBENURSE_SERVICE_URL": "http://a"}) == [
        "KUBENURSE_NEIGHBOR_LIMIT"
    ]

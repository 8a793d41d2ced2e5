"""The server's flags."""

from __future__ import annotations

import msgspec

from kubesonar.compat.netchecker.flags import LOG_FLAGS, settings_of
from kubesonar.compat.netchecker.server.settings import AGENT_RESOURCE, SERVER_FLAGS, ServerSettings, etcd_options


def given(*flags: str) -> ServerSettings:
    settings = settings_of("netchecker-server", ServerSettings, SERVER_FLAGS, flags)
    assert settings is not None
    return settings


def test_nc36_the_defaults_are_those_of_the_original() -> None:
    settings = given()
    assert (settings.endpoint, settings.kubeproxyinit, settings.report_ttl) == ("0.0.0.0:8081", False, 300)
    assert (settings.ping_timeout, settings.etcd_tree, settings.check_interval) == (5, "netchecker", 10)
    fields = {field.name.replace("_", "-") for field in msgspec.structs.fields(ServerSettings)}
    assert {flag.name for flag in SERVER_FLAGS} == fields | {flag.name for flag in LOG_FLAGS}


def test_nc21_nc23_etcd_is_reached_by_v3_with_what_the_flags_say() -> None:
    options = etcd_options(given("-etcd-endpoints=https://a:2379, https://b:2379", "-etcd-cert=c", "-etcd-key=k"))
    assert options.endpoints == ("https://a:2379", "https://b:2379")
    assert (options.tree, options.cert_file, options.key_file, options.verify) == ("netchecker", "c", "k", False)
    assert etcd_options(given("-etcd-endpoints=https://a:2379", "-etcd-ca=ca")).verify
    assert etcd_options(given("-etcd-endpoints=http://a:2379")).verify


def test_nc21_the_custom_resource_is_that_of_the_original_by_apiextensions_v1() -> None:
    definition = AGENT_RESOURCE.definition()
    assert definition["metadata"]["name"] == "agents.network-checker.ext"
    assert definition["apiVersion"] == "apiextensions.k8s.io/v1"
    assert AGENT_RESOURCE.path("default") == "/apis/network-checker.ext/v1/namespaces/default/agents"

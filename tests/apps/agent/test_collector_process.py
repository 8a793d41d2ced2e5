"""The process of a coordinator's collector, where it cannot be started."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.apps.agent.collector_process import CollectorProcess
from kubesonar.apps.agent.options import AgentOptions, CoordinatorOptions
from kubesonar.model import Member
from kubesonar.web import ListenOptions


def test_a_socket_that_it_was_not_given_is_said_and_ends_the_attempt(caplog: pytest.LogCaptureFixture) -> None:
    listen = (ListenOptions(address="fd:99999"),)
    options = AgentOptions(coordinator=CoordinatorOptions(listen=listen))
    me = Member("a", "a", ("127.0.0.1",), 7473)
    asyncio.run(CollectorProcess(options, ("127.0.0.1",), lambda: me).run())
    assert "the coordinator's collector cannot be started: Bad file descriptor" in caplog.text

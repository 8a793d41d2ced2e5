"""`kubesonar netchecker-agent`: the agent as a program."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence

from kubesonar.compat.netchecker.agent.reporter import NetcheckerAgent
from kubesonar.compat.netchecker.agent.settings import AGENT_FLAGS, AgentSettings
from kubesonar.compat.netchecker.flags import settings_of
from kubesonar.compat.program import run_room
from kubesonar.config import ConfigError
from kubesonar.runtime import logs

_LOG = logging.getLogger("kubesonar.netchecker")
_VERBOSE = 5
_POD = re.compile(r"[A-Za-z0-9._-]{1,253}")


def main(argv: Sequence[str]) -> int:
    """Run the agent until SIGTERM or SIGINT. Returns 0, or 1 without a name; raises ConfigError."""
    settings = settings_of("netchecker-agent", AgentSettings, AGENT_FLAGS, argv)
    if settings is None:
        return 0
    logs.set_up(logs.LogOptions(level="debug" if settings.v >= _VERBOSE else "info"))
    pod, node = os.environ.get("MY_POD_NAME", ""), os.environ.get("MY_NODE_NAME", "")
    if not _POD.fullmatch(pod):
        _LOG.error("MY_POD_NAME is %r, expected the name of this pod", pod[:80])
        return 1
    if not node:
        _LOG.warning("MY_NODE_NAME is not set: reports do not say which node they are of")
    try:
        agent = NetcheckerAgent(settings, pod, node)
    except ValueError as error:
        raise ConfigError(f"-serverendpoint: {error}") from None
    return run_room(agent)

"""What an agent serves over HTTP: health, metrics, observations and snapshots.

In: an agent (the protocol `AgentView`) and requests. Out: replies in JSON or text. Read `agent` first: it lists the
paths.
"""

from kubesonar.api.agent import AgentView, agent_handler

__all__ = ["AgentView", "agent_handler"]

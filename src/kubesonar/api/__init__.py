"""The HTTP API of an agent and of a collector: health, metrics, observations, snapshots, verdicts and incidents.

In: an agent (the protocol `AgentView`) or a collector (`CollectorView`), and requests. Out: replies in JSON or text.
Read `agent.py` first, then `collector_operations.py`: each lists its paths. `page/` is what people's browsers are
shown.
"""

from kubesonar.api.agent import AgentView, agent_handler

__all__ = ["AgentView", "agent_handler"]

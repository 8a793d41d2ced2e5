"""What an agent tells over HTTP."""

from kubesonar.api.agent import Shown, agent_app

__all__ = ["Shown", "agent_app"]

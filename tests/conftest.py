"""For all tests: no deadline on examples, because a busy machine is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("kubesonar", deadline=None)
settings.load_profile("kubesonar")

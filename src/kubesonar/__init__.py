"""kubesonar says whether a cluster's network is healthy and, if not, which part is sick, since when and how we know.

Probes, rosters and peers' messages come in; metrics, snapshots, verdicts and notices go out. Read docs/architecture.md
first, then `model.py`, the values that every room shares.
"""

__version__ = "0.1.0.dev0"

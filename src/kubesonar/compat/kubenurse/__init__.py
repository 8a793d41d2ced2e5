"""kubenurse's environment variables, endpoints and metrics.

In: environment variables, pods and nodes. Out: HTTP checks in rounds, and the paths /alive, /alwayshappy, /ready and
/metrics. Read README.md beside this file first, then `room`, which puts the parts together.
"""

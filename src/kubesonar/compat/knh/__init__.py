"""KNH's environment variables, endpoints, elections and webhooks.

In: environment variables, the addresses behind a Service, and calls of other pods. Out: calls to other pods, and
webhooks about dead peers and the cluster. Read README.md beside this file first, then `election/`, the machine
that decides."""

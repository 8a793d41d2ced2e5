"""Pure functions from what is known to bytes and text: metrics, JSON, and lines for a terminal.

In: snapshots, counters and verdicts. Out: the body of /metrics, JSON documents, and Rich renderables. Read `matrix` for
the data behind the map, then `metrics/agent` or `terminal/board`.
"""

"""Metrics of an agent as text.

In: a snapshot, counts and facts of the process. Out: Prometheus text or OpenMetrics. Read `agent` for the table of
metrics, then `exposition` for the two formats.
"""

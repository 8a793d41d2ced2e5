"""Keeps what an agent observed, and derives counters, windows and the health of edges from it.

Observations come in; snapshots, counters and this agent's own troubles go out. Read `ledger.py` first, then
`self_health.py` (when this agent does not trust itself).
"""

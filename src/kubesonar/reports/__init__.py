"""Reports on their way from agents to collectors.

In: an agent's ledger. Out: what a collector holds of each agent. The agent's side is `sender`, the collector's is
`intake`; `auth` decides who may report as which member. What a report says is in core/telemetry/reports.
"""

"""Reports of an agent to a collector, by which the collector has the agent's snapshot again.

In: a ledger on the side of the agent, reports on that of the collector. Out: reports, and snapshots equal to those that
the agents themselves would give. Read `report` first, then `outgoing` (agent) and `mirror` (collector).
"""

"""Decides what an agent probes, how often, and when.

A roster, options and what was found in the cluster come in; checks with their periods, and the checks that are due now,
go out. Read `plan.py` first (which checks), then `planner.py` (within the budgets) and `schedule.py` (when).
"""

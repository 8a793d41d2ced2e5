"""PURE: everything that decides or computes; no clock, socket, file, thread or unseeded random number is used here.

Observations, rosters, peers' messages and the current time come in as arguments. Checks, snapshots, actions and
findings go out as values. Read `machine.py` first, then `probing/plan.py` (what is asked) and `telemetry/ledger.py`
(what is kept).
"""

"""Findings over time: what opens, changes and closes an incident, and what is kept of it.

In: a verdict each second. Out: what became of incidents (`casebook`), and records of them with ids that outlive the
process (`incident_log`).
"""
